/** Measures of both sides with the paired difference, its interval and its test. */
import type { JSX } from 'preact';
import type { ComparedMeasure, ComparedSet, ComparisonPageInput } from '../comparison-input.ts';
import { CONFIDENCE, count, pointsInterval } from '../format.ts';
import { headlineNames, measureLabel, typedNames } from '../measures.ts';
import { Delta, Foreign, Section, Value } from './text.tsx';

export function ComparedDifferences({
  input,
}: {
  readonly input: ComparisonPageInput;
}): JSX.Element {
  return (
    <Section
      id="differences"
      title="Differences"
      lead={`B less A, in percentage points, with the ${CONFIDENCE} interval of a paired bootstrap over images. A difference is coloured when its interval excludes zero. p is of McNemar's exact test where every image has one question that is right or wrong, else of a permutation by image; the second p is corrected for the sets of this page (Holm).`}
    >
      {input.sets.map((set) => (
        <SetDifferences key={set.set} set={set} />
      ))}
    </Section>
  );
}

function SetDifferences({ set }: { readonly set: ComparedSet<unknown> }): JSX.Element {
  // Only the names are of interest, whichever side they are read from.
  const measures = Object.fromEntries(
    Object.entries(set.measures).map(([name, { delta }]) => [name, delta]),
  );
  const headlines = headlineNames([measures]);
  const others = Object.keys(measures).filter(
    (name) => !name.includes('/') && !headlines.includes(name),
  );
  const typed = typedNames([measures]);
  return (
    <>
      <h3>
        <Foreign text={set.set} /> <small>{set.benchmark}</small>
      </h3>
      <Differences set={set} names={[...headlines, ...others]} />
      {typed.length === 0 ? null : (
        <details>
          <summary>By kind of question</summary>
          <Differences set={set} names={typed} />
        </details>
      )}
    </>
  );
}

function Differences(props: {
  readonly set: ComparedSet<unknown>;
  readonly names: readonly string[];
}): JSX.Element {
  return (
    <div class="scroll">
      <table class="differences">
        <thead>
          <tr>
            <th scope="col">Measure</th>
            <th scope="col">Items</th>
            <th scope="col">A, %</th>
            <th scope="col">B, %</th>
            <th scope="col">B less A</th>
            <th scope="col">p</th>
            <th scope="col">p, Holm</th>
          </tr>
        </thead>
        <tbody>
          {props.names.map((name) => {
            const measure = props.set.measures[name];
            return measure === undefined ? null : <Row key={name} name={name} measure={measure} />;
          })}
        </tbody>
      </table>
    </div>
  );
}

function Row(props: { readonly name: string; readonly measure: ComparedMeasure }): JSX.Element {
  const { a, b, delta, test } = props.measure;
  return (
    <tr>
      <th scope="row">
        <Foreign text={measureLabel(props.name)} />
      </th>
      <td>{count(delta.n)}</td>
      <td>
        <Value measure={a} />
      </td>
      <td>
        <Value measure={b} />
      </td>
      <td>
        <Delta name={props.name} delta={delta} />
        <span class="interval">{pointsInterval(delta)}</span>
      </td>
      <td>
        {test === null ? '' : shown(test.p_value)}
        {test === null ? null : <span class="round">{test.test}</span>}
      </td>
      <td>{test === null ? '' : shown(test.p_holm)}</td>
    </tr>
  );
}

function shown(p: number): string {
  return p < 0.0001 ? '<0.0001' : p.toFixed(4);
}
