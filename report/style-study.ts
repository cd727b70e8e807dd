/** Look of what only a study's page has: verdicts and the legend of the map. */

export const STUDY_STYLE = `
.verdict { font-weight: 600; white-space: nowrap; }
.verdict.holds { color: var(--better); }
.verdict.does_not_hold { color: var(--worse); }
.verdict.undecided, .verdict.not_measured { color: var(--ink-soft); font-weight: 400; }
table.claims td:nth-child(2), table.claims thead th:nth-child(2) { text-align: left; }
table.claims td:nth-child(2) { min-width: 12rem; }
table.claims th, table.claims td:not(:nth-child(2)) { overflow-wrap: normal; }
.claims-and-chart { display: grid; grid-template-columns: minmax(0, 1fr) 18rem; gap: 2rem; align-items: start; }
.scroll { overflow-x: auto; }
.charts.wide { grid-template-columns: repeat(auto-fill, minmax(min(26rem, 100%), 1fr)); }
#how h2 { margin-bottom: .6rem; }
table.arms td, table.arms thead th:last-child, table.runs td:last-child, table.runs thead th:last-child { text-align: left; }
.legend .map-0::before { background: var(--base); }
.legend .map-1::before { background: var(--infused); }
.legend .map-2::before { background: var(--preference); }
.legend .map-3::before { background: var(--worse); }
.remarks { padding-left: 1.2rem; max-width: 46rem; font-size: .94rem; }
.run-state.failed { color: var(--worse); font-weight: 600; }
.run-state.not_available { color: var(--ink-soft); }
.source { color: var(--ink-soft); font-size: .82rem; margin: .4rem 0 1rem; }
@media (max-width: 800px) { .claims-and-chart { grid-template-columns: minmax(0, 1fr); } }
`;
