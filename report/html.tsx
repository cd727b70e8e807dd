/**
 * A run as one self-contained HTML file. Called by the report activity and by `sticflow report`;
 * reads nothing but its input. The page has no script and may load nothing: its own policy says so.
 */
import type { JSX } from 'preact';
import { renderToString } from 'preact-render-to-string';
import { contentSecurityPolicy } from './content-security-policy.ts';
import { type Drawings, drawCharts } from './drawings.ts';
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
  const policy = await contentSecurityPolicy(STYLE);
  const page = renderToString(<Page input={input} drawings={drawings} policy={policy} />);
  return `<!doctype html>\n${page}\n`;
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

interface PageProps {
  readonly input: ReportInput;
  readonly drawings: Drawings;
  readonly policy: string;
}

function Page({ input, drawings, policy }: PageProps): JSX.Element {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content={policy} />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <title>{`${input.status.run_id} · sticflow report`}</title>
        {/* A constant of ours, hashed above. */}
        <style dangerouslySetInnerHTML={{ __html: STYLE }} />
      </head>
      <body>
        <Summary input={input} effectSvg={drawings.effect} />
        <nav aria-label="Sections">
          {SECTIONS.map(([id, title]) => (
            <a href={`#${id}`} key={id}>
              {title}
            </a>
          ))}
        </nav>
        <main>
          <Results input={input} charts={drawings.measures} />
          <Training charts={drawings.training} numRounds={input.rounds.length} />
          <Pairs input={input} />
          <Changes input={input} />
          <LeftOut input={input} />
          <LineageSection input={input} />
          <Config input={input} />
          <Environment input={input} />
        </main>
      </body>
    </html>
  );
}
