/** Each claim with the difference that was measured, the paper's, and what the interval carries. */
import type { JSX } from 'preact';
import type { ClaimResult } from '../../contract/study.ts';
import { CONFIDENCE, counted, points, pointsInterval } from '../format.ts';
import { measureLabel } from '../measures.ts';
import { type StudyPageInput, VERDICT_LABELS } from '../study-input.ts';
import { Chart, Foreign, Section } from './text.tsx';

export function StudyClaims(props: {
  readonly input: StudyPageInput;
  readonly svg: string | null;
}): JSX.Element {
  const { claims, seeds } = props.input.result;
  return (
    <Section
      id="claims"
      title="Claims"
      lead={`A claim holds, or does not, when the whole ${CONFIDENCE} interval of the paired difference lies on one side of zero; else it is undecided. Intervals are over seeds and images (pigeonhole bootstrap); with a single seed nothing is decided. No correction for the number of claims is made.${fewSeeds(seeds.length)}`}
    >
      <div class={props.svg === null ? '' : 'claims-and-chart'}>
        <div class="scroll">
          <table class="claims">
            <thead>
              <tr>
                <th scope="col">#</th>
                <th scope="col">Claim</th>
                <th scope="col">Here, points</th>
                <th scope="col">Paper, points</th>
                <th scope="col">Verdict</th>
              </tr>
            </thead>
            <tbody>
              {claims.map((claim, index) => (
                <Claim claim={claim} number={index + 1} key={claim.name} />
              ))}
            </tbody>
          </table>
        </div>
        {props.svg === null ? null : (
          <div>
            <Chart title={`Differences, with ${CONFIDENCE} intervals`} svg={props.svg} />
            <p class="key">Blue holds, orange does not hold; grey: undecided.</p>
          </div>
        )}
      </div>
    </Section>
  );
}

/** From five seeds on the resampled seeds spread about as they should. */
const ENOUGH_SEEDS = 5;

function fewSeeds(count: number): string {
  if (count >= ENOUGH_SEEDS) return '';
  return ` With ${counted(count, 'seed')} the part of an interval that comes from seeds is too narrow: take ${String(ENOUGH_SEEDS)} or more for figures to quote.`;
}

function Claim(props: { readonly claim: ClaimResult; readonly number: number }): JSX.Element {
  const { text, delta, verdict, measure, expected, num_seeds, paper_delta } = props.claim;
  return (
    <tr>
      <td>{props.number}</td>
      <td>
        <Foreign text={text} />
        <span class="round">
          {measureLabel(measure)}, expected {expected}; {counted(num_seeds, 'seed')}
        </span>
      </td>
      <td>
        {delta === null ? (
          <span class="nothing">not measured</span>
        ) : (
          <>
            <span class="value">{points(delta.value)}</span>
            <span class="interval">{pointsInterval(delta)}</span>
          </>
        )}
      </td>
      <td>
        {paper_delta === null ? <span class="nothing">none</span> : points(paper_delta / 100)}
      </td>
      <td>
        <span class={`verdict ${verdict}`}>{VERDICT_LABELS[verdict]}</span>
      </td>
    </tr>
  );
}
