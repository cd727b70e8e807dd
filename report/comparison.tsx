/**
 * Two scored policies as one self-contained HTML file: differences with their intervals, and the answers that
 * differ. As the report of a run, it has no script and may load nothing.
 */
import type { JSX } from 'preact';
import type { ComparisonPageInput } from './comparison-input.ts';
import { renderDocument } from './document.tsx';
import { allVisible, counted, words } from './format.ts';
import { ComparedAnswers } from './sections/compared-answers.tsx';
import { ComparedDifferences } from './sections/compared-differences.tsx';
import { ComparedRefusals } from './sections/compared-refusals.tsx';
import { Foreign } from './sections/text.tsx';
import { PAGE_STYLE } from './style.ts';
import { COMPARISON_STYLE } from './style-comparison.ts';
import { SECTION_STYLE } from './style-sections.ts';

const STYLE = PAGE_STYLE + SECTION_STYLE + COMPARISON_STYLE;

/** The whole page, UTF-8 encodable whatever the texts in the input hold. */
export async function renderComparison(given: ComparisonPageInput): Promise<string> {
  const input = allVisible(given);
  const hasSets = input.sets.length > 0;
  return await renderDocument({
    title: `${input.a.name} and ${input.b.name} · sticflow comparison`,
    style: STYLE,
    summary: <Head input={input} />,
    sections: [
      ...(hasSets
        ? ([
            ['differences', 'Differences'],
            ['answers', 'Answers'],
          ] as const)
        : []),
      ...(input.refused.length === 0 ? [] : [['refused', 'Not compared'] as const]),
    ],
    children: (
      <>
        {hasSets ? <ComparedDifferences input={input} /> : null}
        {hasSets ? <ComparedAnswers input={input} /> : null}
        <ComparedRefusals input={input} />
      </>
    ),
  });
}

function Head({ input }: { readonly input: ComparisonPageInput }): JSX.Element {
  const { a, b, sets, refused } = input;
  const side = ({ round, policy }: typeof a): string => `round ${String(round)}, ${words(policy)}`;
  const total = (change: 'fixed' | 'broken' | 'both_wrong' | 'both_right'): number =>
    sets.reduce((sum, { counts }) => sum + counts.direct[change] + counts.dar[change], 0);
  const tiles = [
    ['Fixed', total('fixed')],
    ['Broken', total('broken')],
    ['Wrong on both sides', total('both_wrong')],
    ['Right on both sides', total('both_right')],
  ] as const;
  return (
    <header id="summary">
      <p class="brand">sticflow comparison</p>
      <h1>
        A: <Foreign text={a.name} /> <small>{side(a)}</small>
      </h1>
      <h1>
        B: <Foreign text={b.name} /> <small>{side(b)}</small>
      </h1>
      {sets.length === 0 ? null : (
        <dl class="tiles">
          {tiles.map(([title, value]) => (
            <div class="tile" key={title}>
              <dt>{title}</dt>
              <dd>{counted(value, 'answer')}</dd>
            </div>
          ))}
        </dl>
      )}
      {refused.length === 0 ? null : (
        <p class="message failed">
          {counted(refused.length, 'set')} not compared, because they were not measured alike: see
          Not compared.
        </p>
      )}
    </header>
  );
}
