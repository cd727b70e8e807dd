/** Look of what only the page of a comparison has: tables that may be wide, and answers of which neither is better. */

export const COMPARISON_STYLE = `
.scroll { overflow-x: auto; position: relative; }
table.differences th, table.differences td { overflow-wrap: normal; }
table.differences tbody th { min-width: 9rem; }
.first mark, .second mark { background: var(--note-tint); }
.changes.both_wrong summary { color: var(--ink-soft); }
header h1 + h1 { margin-top: .2rem; }
`;
