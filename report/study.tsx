/**
 * A study as one self-contained HTML file: claims with their verdicts, figures beside the paper's, the
 * runs they come from. As the report of a run, it has no script and may load nothing.
 */
import type { JSX } from 'preact';
import { chartSvg } from './chart-svg.ts';
import { renderDocument } from './document.tsx';
import { allVisible, counted, words } from './format.ts';
import { measureLabel } from './measures.ts';
import { StudyClaims } from './sections/study-claims.tsx';
import { StudyFeatures } from './sections/study-features.tsx';
import { StudyHow } from './sections/study-how.tsx';
import { StudyRows } from './sections/study-rows.tsx';
import { StudyRuns } from './sections/study-runs.tsx';
import { claimsChart, mapChart, type RowPoint, rowsChart } from './study-charts.ts';
import { type StudyPageInput, VERDICT_LABELS, verdictCounts } from './study-input.ts';
import { PAGE_STYLE } from './style.ts';
import { SECTION_STYLE } from './style-sections.ts';
import { STUDY_STYLE } from './style-study.ts';

const STYLE = PAGE_STYLE + SECTION_STYLE + STUDY_STYLE;

/** The whole page, UTF-8 encodable whatever the texts in the input hold. */
export async function renderStudy(given: StudyPageInput): Promise<string> {
  const input = allVisible(given);
  const drawings = await draw(input);
  const { result } = input;
  return await renderDocument({
    title: `${result.study_id} · sticflow study`,
    style: STYLE,
    summary: <Head input={input} />,
    sections: [
      ...(result.claims.length === 0 ? [] : [['claims', 'Claims'] as const]),
      ['rows', 'Figures'],
      ...(result.features === null ? [] : [['features', 'Image features'] as const]),
      ['runs', 'Runs'],
      ['how', 'How it was made'],
    ],
    children: (
      <>
        {result.claims.length === 0 ? null : <StudyClaims input={input} svg={drawings.claims} />}
        <StudyRows input={input} charts={drawings.measures} />
        <StudyFeatures input={input} map={drawings.map} />
        <StudyRuns input={input} />
        <StudyHow input={input} />
      </>
    ),
  });
}

interface Drawings {
  readonly claims: string | null;
  readonly measures: readonly { readonly title: string; readonly svg: string }[];
  readonly map: string | null;
}

async function draw({ result, request }: StudyPageInput): Promise<Drawings> {
  const measures: { title: string; svg: string }[] = [];
  for (const name of request.description.measures) {
    const points = result.rows.flatMap(({ name: row, title, x, measures: all }): RowPoint[] => {
      const measure = all[name];
      const policy = request.description.rows.find((one) => one.name === row)?.policy;
      return measure === undefined || policy === undefined ? [] : [{ title, policy, x, measure }];
    });
    if (points.length > 0) {
      measures.push({ title: measureLabel(name), svg: await chartSvg(rowsChart(points)) });
    }
  }
  const measured = result.claims.some(({ delta }) => delta !== null);
  const points = result.features?.points ?? [];
  return {
    claims: measured ? await chartSvg(claimsChart(result.claims)) : null,
    measures,
    map: points.length === 0 ? null : await chartSvg(mapChart(points)),
  };
}

function Head({ input }: { readonly input: StudyPageInput }): JSX.Element {
  const { result, request } = input;
  const { description, base } = request;
  const facts = [
    `${result.size} size`,
    counted(result.seeds.length, 'seed'),
    `${counted(result.num_images, 'image')} of the set ${result.evaluation_set}`,
    `base ${base.model.source}`,
  ];
  const left = result.runs.filter(({ state }) => state !== 'completed');
  return (
    <header id="summary">
      <p class="brand">sticflow study</p>
      <h1>
        <span class="run">{result.study_id}</span>
      </h1>
      <p class="facts">
        {facts.map((fact) => (
          <span key={fact}>{fact}</span>
        ))}
      </p>
      <div class="outcome">
        <p class="headline">{description.title}</p>
        <p class="headline second">{description.question}</p>
      </div>
      <dl class="tiles">
        {verdictCounts(result.claims).map(([verdict, count]) => (
          <div class="tile" key={verdict}>
            <dt>{VERDICT_LABELS[verdict]}</dt>
            <dd>{count === 1 ? '1 claim' : `${String(count)} claims`}</dd>
          </div>
        ))}
      </dl>
      {left.length === 0 ? null : (
        <p class="message failed">
          {counted(left.length, 'run')} of {result.runs.length} gave no figures (
          {[...new Set(left.map(({ state }) => words(state)))].join(', ')}): see Runs.
        </p>
      )}
    </header>
  );
}
