/** Look of the whole page: palette (Okabe and Ito, safe for colour blindness), type, frame. */

export const PAGE_STYLE = `
:root {
  --paper: #fdfdfc; --card: #ffffff; --ink: #1b1f24; --ink-soft: #5c6670;
  --line: #e6e8ea; --line-strong: #b9c0c7;
  --better: #0072b2; --worse: #c24e00; --base: #7a838c;
  --preference: #c98a00; --infused: #0072b2;
  --better-tint: #e3f0f8; --worse-tint: #fbeadd; --note-tint: #f3f4f5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --card: #1b1f23; --ink: #e8eaec; --ink-soft: #a0a9b2;
    --line: #2c3238; --line-strong: #515a63;
    --better: #6cb8e6; --worse: #f0945a; --base: #98a2ac;
    --preference: #eab54a; --infused: #6cb8e6;
    --better-tint: #1b3445; --worse-tint: #46291a; --note-tint: #22272c;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 3.25rem; }
body {
  margin: 0 auto; max-width: 66rem; padding: 0 1.25rem 4rem;
  background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
h1, h2, h3, h4, p, dl, dd, figure, ol, ul, fieldset { margin: 0; padding: 0; }
h2 { font-size: 1.35rem; line-height: 1.25; font-weight: 650; letter-spacing: -.01em; }
h3 { font-size: 1.05rem; margin: 2rem 0 .75rem; font-weight: 620; }
h3 small, summary small { font-weight: 400; color: var(--ink-soft); margin-left: .4em; }
h4 { font-size: .78rem; font-weight: 600; color: var(--ink-soft); }
small { font-size: .82rem; color: var(--ink-soft); }
a { color: var(--better); }
code { font: .86em/1.4 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
.hidden-visually { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.nothing, .empty { color: var(--ink-soft); }
.empty { padding: .75rem 0; }
.notes { padding: .75rem 0 0 1.2rem; color: var(--ink-soft); font-size: .94rem; }
.lead { color: var(--ink-soft); max-width: 46rem; margin: .3rem 0 1.1rem; font-size: .94rem; }
section { padding: 2.25rem 0 1.75rem; border-top: 1px solid var(--line); }

header { padding: 1.75rem 0 1.5rem; }
.brand { color: var(--ink-soft); font-size: .85rem; }
h1 { font-size: 1.15rem; font-weight: 600; line-height: 1.4; }
h1 .run { margin-right: .35rem; }
.state {
  display: inline-block; padding: 0 .6em; border-radius: 1em; font-size: .8rem; font-weight: 550;
  background: var(--note-tint); color: var(--ink-soft);
}
.state.completed, .state.running { background: var(--better-tint); color: var(--better); }
.state.failed, .state.cancelled { background: var(--worse-tint); color: var(--worse); }
.facts { color: var(--ink-soft); font-size: .88rem; }
.facts span + span::before { content: "\\00b7"; margin: 0 .5em; color: var(--line-strong); }
.message { margin-top: .9rem; padding: .6rem .9rem; border-radius: 6px; background: var(--note-tint); font-size: .94rem; }
.message.failed { background: var(--worse-tint); }
.outcome { margin-top: 1.5rem; }
.outcome.with-chart { display: grid; grid-template-columns: minmax(0, 1fr) 25rem; gap: 2.5rem; align-items: start; }
.headline { font-size: 1.55rem; line-height: 1.32; font-weight: 600; letter-spacing: -.015em; text-wrap: pretty; }
.headline .figures { font-weight: 400; color: var(--ink-soft); white-space: normal; }
.headline.second { font-size: 1.08rem; font-weight: 450; letter-spacing: 0; margin-top: .6rem; color: var(--ink-soft); }

.tiles { display: flex; flex-wrap: wrap; gap: 1rem 2.25rem; margin-top: 1.5rem; }
.tile dt { color: var(--ink-soft); font-size: .82rem; }
.tile dd { font-size: 1.2rem; font-weight: 600; white-space: nowrap; }
.tile .from, .tile .arrow { color: var(--ink-soft); font-weight: 400; }
.tile .below { display: block; font-size: .82rem; font-weight: 400; color: var(--ink-soft); }

.stages { list-style: none; display: grid; grid-template-columns: repeat(6, 1fr); gap: .5rem; margin-top: 1.75rem; }
.stages li { border-top: 3px solid var(--line); padding-top: .4rem; font-size: .82rem; line-height: 1.35; }
.stages li.done { border-color: var(--base); }
.stages li.running { border-color: var(--better); }
.stages .name { display: block; font-weight: 550; }
.stages .progress { color: var(--ink-soft); }

nav {
  position: sticky; top: 0; z-index: 1; display: flex; gap: 1.4rem; padding: .6rem 0;
  background: var(--paper); border-top: 1px solid var(--line); border-bottom: 1px solid var(--line);
  overflow-x: auto; scrollbar-width: none; font-size: .9rem;
}
nav::-webkit-scrollbar { display: none; }
nav + main > section:first-child { border-top: 0; }
nav a { color: var(--ink-soft); text-decoration: none; white-space: nowrap; }
nav a:hover { color: var(--ink); }

details { margin-top: .75rem; }
summary { cursor: pointer; font-weight: 550; padding: .35rem 0; }
summary:hover { color: var(--better); }

@media (max-width: 800px) {
  .outcome.with-chart { grid-template-columns: minmax(0, 1fr); gap: 1.5rem; }
}
@media (max-width: 600px) {
  body { padding: 0 1rem 3rem; }
  .headline { font-size: 1.3rem; }
  .stages { grid-template-columns: 1fr; gap: 0; }
  .stages li { border-top: 0; border-left: 3px solid var(--line); padding: .15rem 0 .15rem .7rem; }
  .stages .name { display: inline; margin-right: .6em; }
  section { padding: 1.75rem 0 1.25rem; }
}
@media print {
  :root {
    --paper: #fff; --card: #fff; --ink: #000; --ink-soft: #444; --line: #ccc; --line-strong: #888;
    --better: #005a8c; --worse: #a34200; --better-tint: #e3f0f8; --worse-tint: #fbeadd; --note-tint: #f3f4f5;
    --base: #666; --preference: #a87300; --infused: #005a8c;
  }
  body { max-width: none; font-size: 11pt; padding: 0; }
  nav, .filter { display: none; }
  article, figure, tr, .tile { break-inside: avoid; }
  h2, h3, summary { break-after: avoid; }
  mark { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
