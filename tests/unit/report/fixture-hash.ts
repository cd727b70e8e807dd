/** Stand-ins for content hashes. */

/** 64 hex digits that differ by name and mean nothing. */
export function fakeHash(name: string): string {
  let state = 7;
  for (const letter of name) state = (state * 31 + letter.charCodeAt(0)) % 2147483647;
  return Array.from({ length: 64 }, () => {
    state = (state * 48271) % 2147483647;
    return (state % 16).toString(16);
  }).join('');
}
