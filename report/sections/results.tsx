/** Stages x measures of every round and set, each with interval and difference to the round's start. */
import type { JSX } from 'preact';
import type { Measures } from '../../contract/measures.ts';
import { count, counted } from '../format.ts';
import type { PolicyScores, ReportInput, ReportRound } from '../input.ts';
import { headlineNames, measureLabel, POLICY_ORDER, policyLabel, typedNames } from '../measures.ts';
import { SetNotes } from './set-notes.tsx';
import { Chart, Delta, Foreign, Section, Value } from './text.tsx';

export interface MeasureChart {
  readonly set: string;
  readonly measure: string;
  readonly svg: string;
}

export function Results(props: {
  readonly input: ReportInput;
  readonly charts: readonly MeasureChart[];
}): JSX.Element {
  const { rounds } = props.input;
  const sets = [...new Set(rounds.flatMap(({ scores }) => scores.map(({ set }) => set)))];
  if (sets.length === 0) {
    return (
      <Section id="results" title="Results">
        <p class="empty">Nothing has been measured: no policy of this run has been scored.</p>
      </Section>
    );
  }
  return (
    <Section
      id="results"
      title="Results"
      lead="Per cent, with the 95 % bootstrap interval (images resampled). The signed figure is the paired difference to the start of the round, in points: blue better, orange worse, grey when its interval includes zero."
    >
      <Decisions rounds={rounds} />
      {sets.map((set) => (
        <SetResults key={set} set={set} rounds={rounds} charts={props.charts} />
      ))}
    </Section>
  );
}

function Decisions({ rounds }: { readonly rounds: readonly ReportRound[] }): JSX.Element {
  return (
    <ul class="decisions">
      {rounds.map(({ round, result }) =>
        result === null ? null : (
          <li key={round}>
            <b>
              Round {round}: {result.decision.action}.
            </b>{' '}
            <Foreign text={result.decision.reason} />
          </li>
        ),
      )}
    </ul>
  );
}

interface SetProps {
  readonly set: string;
  readonly rounds: readonly ReportRound[];
  readonly charts: readonly MeasureChart[];
}

function SetResults({ set, rounds, charts }: SetProps): JSX.Element {
  const scored = rounds.flatMap(({ scores }) => scores.filter((each) => each.set === set));
  const all = scored.map(({ scores }) => scores.measures);
  const size = scored[0]?.scores;
  const typed = typedNames(all);
  const drawn = charts.filter((chart) => chart.set === set);
  return (
    <div class="set">
      <h3>
        <Foreign text={set} />{' '}
        {size === undefined ? null : (
          <small>
            {counted(size.num_questions, 'question')} about {counted(size.num_images, 'image')},
            benchmark {size.benchmark}
          </small>
        )}
      </h3>
      <ResultTable set={set} rounds={rounds} names={headlineNames(all)} />
      <SetNotes set={set} rounds={rounds} />
      {drawn.length === 0 ? null : (
        <>
          <PolicyLegend />
          <div class="charts">
            {drawn.map(({ measure, svg }) => (
              <Chart key={measure} title={measureLabel(measure)} svg={svg} />
            ))}
          </div>
        </>
      )}
      {typed.length === 0 ? null : (
        <details>
          <summary>By question type</summary>
          <ResultTable set={set} rounds={rounds.slice(-1)} names={typed} layout="names_down" />
        </details>
      )}
    </div>
  );
}

function PolicyLegend(): JSX.Element {
  return (
    <ul class="legend">
      <li class="base">start of the round</li>
      <li class="preference_training">after preference training</li>
      <li class="infused_training">after infused training</li>
    </ul>
  );
}

interface Row extends PolicyScores {
  readonly round: ReportRound;
}

interface TableProps {
  readonly set: string;
  readonly rounds: readonly ReportRound[];
  readonly names: readonly string[];
  /** Few measures stand side by side; many (question types) go down, policies across. */
  readonly layout?: 'names_across' | 'names_down';
}

function ResultTable({ set, rounds, names, layout = 'names_across' }: TableProps): JSX.Element {
  const rows = rounds.flatMap((round) =>
    POLICY_ORDER.flatMap((policy): Row[] => {
      const found = round.scores.find((each) => each.set === set && each.policy === policy);
      return found === undefined ? [] : [{ ...found, round }];
    }),
  );
  return layout === 'names_down' ? (
    <NamesDown rows={rows} names={names} />
  ) : (
    <NamesAcross rows={rows} names={names} />
  );
}

interface RowsAndNames {
  readonly rows: readonly Row[];
  readonly names: readonly string[];
}

function NamesAcross({ rows, names }: RowsAndNames): JSX.Element {
  return (
    <table class="results">
      <thead>
        <tr>
          <th scope="col">Policy</th>
          {names.map((name) => (
            <th scope="col" key={name}>
              {measureLabel(name)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr class={row.policy} key={`${String(row.round.round)}-${row.policy}`}>
            <th scope="row">
              <span class="round">Round {row.round.round}</span>
              {policyLabel(row.policy, row.round.round)}
            </th>
            {names.map((name) => (
              <Cell key={name} row={row} name={name} label={measureLabel(name)} />
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function NamesDown({ rows, names }: RowsAndNames): JSX.Element {
  return (
    <table class="results">
      <thead>
        <tr>
          <th scope="col">Measure</th>
          {rows.map((row) => (
            <th scope="col" key={row.policy}>
              {policyLabel(row.policy, row.round.round)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {names.map((name) => (
          <tr key={name}>
            <th scope="row">
              <Foreign text={measureLabel(name)} />
              <span class="round">n = {count(itemsOf(rows, name))}</span>
            </th>
            {rows.map((row) => (
              <Cell
                key={row.policy}
                row={row}
                name={name}
                label={policyLabel(row.policy, row.round.round)}
              />
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Cell(props: {
  readonly row: Row;
  readonly name: string;
  readonly label: string;
}): JSX.Element {
  const { row, name, label } = props;
  const measure = row.scores.measures[name];
  const delta = deltasFromStart(row)[name];
  return (
    <td data-label={label}>
      {measure === undefined ? (
        <span class="nothing">not measured</span>
      ) : (
        <Value measure={measure} />
      )}
      {delta === undefined ? null : <Delta name={name} delta={delta} />}
    </td>
  );
}

function deltasFromStart({ round, set, policy }: Row): Measures {
  const found = round.comparisons.find(
    (each) => each.set === set && each.from === 'base' && each.to === policy,
  );
  return found?.comparison.deltas ?? {};
}

function itemsOf(rows: readonly Row[], name: string): number {
  return Math.max(0, ...rows.map(({ scores }) => scores.measures[name]?.n ?? 0));
}
