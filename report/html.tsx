/**
 * A run as one self-contained HTML file. Called by the report activity and by `sticflow report`;
 * reads nothing but its input. The page has no script and may load nothing: its own policy says so.
 */
import { renderDocument } from './document.tsx';
import { drawCharts } from './drawings.ts';
import { allVisible } from './format.ts';
import type { ReportInput } from './input.ts';
import { Changes } from './sections/changes.tsx';
import { Config, Environment } from './sections/config.tsx';
import { LeftOut } from './sections/left-out.tsx';
import { LineageSection } from './sections/lineage.tsx';
import { Pairs } from './sections/pairs.tsx';
import { Results } from './sections/results.tsx';
import { Summary } from './sections/summary.tsx';
import { Training } from './sections/training.tsx';
import { PAGE_STYLE } from './style.ts';
import { SECTION_STYLE } from './style-sections.ts';

const STYLE = PAGE_STYLE + SECTION_STYLE;

/** The whole page, UTF-8 encodable whatever the texts in the input hold. */
export async function renderReport(given: ReportInput): Promise<string> {
  const input = allVisible(given);
  const drawings = await drawCharts(input);
  return await renderDocument({
    title: `${input.status.run_id} · sticflow report`,
    style: STYLE,
    summary: <Summary input={input} effectSvg={drawings.effect} />,
    sections: SECTIONS,
    children: (
      <>
        <Results input={input} charts={drawings.measures} />
        <Training charts={drawings.training} rounds={input.rounds} />
        <Pairs input={input} />
        <Changes input={input} />
        <LeftOut input={input} />
        <LineageSection input={input} />
        <Config input={input} />
        <Environment input={input} />
      </>
    ),
  });
}

const SECTIONS = [
  ['results', 'Results'],
  ['training', 'Training'],
  ['pairs', 'Pairs'],
  ['changes', 'Changes'],
  ['left-out', 'Left out'],
  ['lineage', 'Lineage'],
  ['config', 'Config'],
  ['environment', 'Environment'],
] as const;
