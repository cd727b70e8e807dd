/** Look of the sections: tables, charts, pairs, changes, lineage, knobs; and the gallery's filter. */
import { RejectionSource } from '../contract/records.ts';

const GALLERY_FILTER = RejectionSource.options
  .map((source) => `#pairs:has(#filter-${source}:checked) .pair:not(.${source})`)
  .join(',\n');

export const SECTION_STYLE = `
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
caption { text-align: left; color: var(--ink-soft); font-size: .88rem; padding-bottom: .3rem; }
th, td { text-align: right; padding: .5rem .6rem; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { font-size: .8rem; font-weight: 550; color: var(--ink-soft); vertical-align: bottom; line-height: 1.3; }
tr > :first-child { text-align: left; padding-left: 0; }
tbody th { font-weight: 550; }
table.results tr.base { border-top: 2px solid var(--line-strong); }
.round { display: block; font-size: .78rem; font-weight: 400; color: var(--ink-soft); }
.value { display: block; font-weight: 600; white-space: nowrap; }
.interval { display: block; font-size: .78rem; color: var(--ink-soft); white-space: nowrap; }
.delta { font-size: .82rem; font-weight: 600; white-space: nowrap; }
.delta.better { color: var(--better); }
.delta.worse { color: var(--worse); }
.delta.not_shown { color: var(--ink-soft); font-weight: 400; }
table.plain { width: auto; min-width: 18rem; margin-bottom: .5rem; }

.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; margin: 1.4rem 0 .2rem; font-size: .85rem; color: var(--ink-soft); }
.legend li::before { content: ""; display: inline-block; width: .65em; height: .65em; border-radius: 50%; margin-right: .45em; background: var(--base); }
.legend .preference_training::before { background: var(--preference); }
.legend .infused_training::before { background: var(--infused); }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); gap: 1.5rem .75rem; margin-top: .8rem; }
.chart figcaption { font-size: .88rem; font-weight: 550; margin-bottom: .3rem; }
.key { font-size: .8rem; color: var(--ink-soft); margin-top: .2rem; }
.drawing svg { display: block; max-width: 100%; height: auto; }
.drawing text { font-family: inherit; font-variant-numeric: tabular-nums; }

.filter { border: 0; display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; font-size: .9rem; }
.filter legend { float: left; color: var(--ink-soft); margin-right: 1.2rem; }
.filter label { cursor: pointer; white-space: nowrap; }
.filter input { margin: 0 .4em 0 0; accent-color: var(--better); }
${GALLERY_FILTER} { display: none; }

.pair, .change { display: grid; grid-template-columns: 9rem minmax(0, 1fr); gap: 1.25rem; padding: 1.1rem 0; border-top: 1px solid var(--line); }
h3 + .pair, summary + .change { border-top: 0; }
img { display: block; width: 100%; max-width: 9rem; height: auto; border-radius: 4px; background: var(--note-tint); }
.no-picture { width: 100%; max-width: 9rem; aspect-ratio: 1; display: grid; place-items: center; padding: .5rem; text-align: center; font-size: .78rem; color: var(--ink-soft); background: var(--note-tint); border-radius: 4px; }
.pictures { display: flex; flex-direction: column; gap: .6rem; }
figcaption { color: var(--ink-soft); font-size: .78rem; }
.chart figcaption { color: var(--ink); }
.chart figcaption small { display: block; font-weight: 400; }
.decisions { list-style: none; font-size: .92rem; margin-bottom: .5rem; }
.decisions li { padding: .2rem 0; max-width: 46rem; }
.prompt, .question { font-weight: 550; margin-bottom: .6rem; white-space: pre-line; }
.expected { font-size: .92rem; margin-bottom: .6rem; }
.difference { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1.25rem; }
.side h4 { margin-bottom: .15rem; }
.side p { font-size: .92rem; white-space: pre-wrap; max-height: 24rem; overflow-y: auto; }
.chosen h4 { color: var(--better); }
.rejected h4 { color: var(--worse); }
mark { color: inherit; border-radius: 2px; box-decoration-break: clone; -webkit-box-decoration-break: clone; padding: .05em 0; }
.chosen mark { background: var(--better-tint); }
.rejected mark { background: var(--worse-tint); }
.provenance { font-size: .85rem; margin-top: .6rem; }
.provenance summary { font-weight: 400; color: var(--ink-soft); }
.facts-list { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem 1rem; margin-top: .3rem; }
.facts-list dt { color: var(--ink-soft); }
.changes.fixed summary { color: var(--better); }
.changes.broken summary { color: var(--worse); }

.records { list-style: none; font-size: .9rem; }
.records li { padding: .45rem 0; border-bottom: 1px solid var(--line); }
.records small { display: block; }
.records li > small:not(:last-child) { display: inline; }

.path { list-style: none; display: flex; flex-wrap: wrap; gap: .5rem 0; align-items: center; }
.path li + li::before { content: "\\2190"; color: var(--ink-soft); margin: 0 .6rem; }
.path a { display: inline-block; vertical-align: middle; padding: .35rem .7rem; border: 1px solid var(--line-strong); border-radius: 6px; text-decoration: none; color: inherit; line-height: 1.3; }
.path a:hover { border-color: var(--better); }
.kind { display: block; font-size: .8rem; color: var(--ink-soft); }
.artifacts { list-style: none; font-size: .9rem; }
.artifacts li { padding: .55rem 0; border-bottom: 1px solid var(--line); }
.artifacts li:target { background: var(--better-tint); }
.full-hash, .made-from { display: block; color: var(--ink-soft); font-size: .8rem; }
.made-from a + a::before { content: ", "; color: var(--ink-soft); display: inline-block; white-space: pre; }

.knobs { columns: 2; column-gap: 3rem; font-size: .85rem; }
.knobs > div { display: grid; grid-template-columns: minmax(0, 3fr) minmax(0, 2fr); gap: .8rem; padding: .2rem 0; break-inside: avoid; border-bottom: 1px solid var(--line); }
.knobs dt { color: var(--ink-soft); }
.prompts { font-size: .9rem; margin: .8rem 0 1.2rem; max-width: 50rem; }
.prompts ol { padding-left: 1.6rem; }
.prompts li { white-space: pre-line; margin: .25rem 0; }

@media (max-width: 600px) {
  table.results, table.results tbody, table.results tr, table.results td, table.results tbody th { display: block; }
  table.results thead { display: none; }
  table.results tr { padding: .7rem 0; border-bottom: 1px solid var(--line); }
  table.results tbody th { border: 0; padding: 0 0 .3rem; }
  table.results td { border: 0; padding: .15rem 0; display: grid; grid-template-columns: minmax(0, 1fr) 3.6rem 5.3rem 2.5rem; gap: .4rem; align-items: baseline; }
  table.results td::before { content: attr(data-label); text-align: left; color: var(--ink-soft); font-size: .84rem; }
  .pair, .change { grid-template-columns: minmax(0, 1fr); gap: .75rem; }
  .pictures { flex-direction: row; }
  .difference { grid-template-columns: minmax(0, 1fr); gap: .8rem; }
  .knobs { columns: 1; }
  table.plain { min-width: 0; width: 100%; }
}
`;
