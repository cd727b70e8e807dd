/** The study's own table and charts, and the paper's table beside them. */
import type { JSX } from 'preact';
import type { PaperTable } from '../../contract/paper-results.ts';
import { counted } from '../format.ts';
import { measureLabel } from '../measures.ts';
import { paperTableOf, type StudyPageInput } from '../study-input.ts';
import { Chart, Foreign, Section, Value } from './text.tsx';

interface MeasureChart {
  readonly title: string;
  readonly svg: string;
}

export function StudyRows(props: {
  readonly input: StudyPageInput;
  readonly charts: readonly MeasureChart[];
}): JSX.Element {
  const { input, charts } = props;
  const { x_title, paper } = input.request.description;
  const table = paperTableOf(input);
  return (
    <Section
      id="rows"
      title="Figures"
      lead="Per cent, mean over seeds, with the 95 % interval over seeds and images."
    >
      <h3>Measured here</h3>
      <OwnTable input={input} />
      {charts.length === 0 ? null : (
        <>
          <ul class="legend">
            <li class="base">base</li>
            <li class="preference_training">after preference training</li>
            <li class="infused_training">after infused training</li>
          </ul>
          <div class="charts wide">
            {charts.map(({ title, svg }) => (
              <Chart
                key={title}
                title={title}
                svg={svg}
                {...(x_title === null ? {} : { of: `over ${x_title}` })}
              />
            ))}
          </div>
        </>
      )}
      {table === null ? null : <Published table={table} remark={paper?.remark ?? null} />}
    </Section>
  );
}

function OwnTable({ input }: { readonly input: StudyPageInput }): JSX.Element {
  const { measures } = input.request.description;
  return (
    <table class="results">
      <thead>
        <tr>
          <th scope="col">Policy</th>
          {measures.map((name) => (
            <th scope="col" key={name}>
              {measureLabel(name)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {input.result.rows.map((row) => (
          <tr key={row.name}>
            <th scope="row">
              <Foreign text={row.title} />
              <span class="round">{counted(row.num_seeds, 'seed')}</span>
            </th>
            {measures.map((name) => {
              const measure = row.measures[name];
              return (
                <td key={name} data-label={measureLabel(name)}>
                  {measure === undefined ? (
                    <span class="nothing">not measured</span>
                  ) : (
                    <Value measure={measure} />
                  )}
                </td>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Published(props: {
  readonly table: PaperTable;
  readonly remark: string | null;
}): JSX.Element {
  const { title, columns, rows, source, note } = props.table;
  return (
    <>
      <h3>In the paper</h3>
      {props.remark === null ? null : (
        <p class="lead">
          <Foreign text={props.remark} />
        </p>
      )}
      <div class="scroll">
        <table class="paper">
          <caption>{title}</caption>
          <thead>
            <tr>
              <th scope="col">Model</th>
              {columns.map((column) => (
                <th scope="col" key={column}>
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {Object.entries(rows).map(([name, values]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                {columns.map((column, index) => (
                  <td key={column}>{figure(values[index] ?? null)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="source">
        {source}. {note}
      </p>
    </>
  );
}

/** As printed: one decimal at least. */
function figure(value: number | null): JSX.Element | string {
  if (value === null) return <span class="nothing">unknown</span>;
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}
