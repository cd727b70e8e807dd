/** Compares figures with expected ones, field by field. */

/** `path: got X, expected Y` for every expected field that is not exactly there. */
export function differences(got: unknown, expected: unknown, path = ''): string[] {
  if (typeof expected !== 'object' || expected === null) {
    if (got === expected) return [];
    return [`${path}: got ${JSON.stringify(got)}, expected ${JSON.stringify(expected)}`];
  }
  return Object.entries(expected).flatMap(([name, value]) =>
    differences(fieldOf(got, name), value, path === '' ? name : `${path}.${name}`),
  );
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}
