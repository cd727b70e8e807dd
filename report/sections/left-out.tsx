/** What the run left out and why: quarantined files, duplicates, degenerate pairs. */
import type { JSX } from 'preact';
import { count, counted, words } from '../format.ts';
import type { ReportInput } from '../input.ts';
import { Foreign, Hash, Section } from './text.tsx';

export function LeftOut({ input }: { readonly input: ReportInput }): JSX.Element {
  return (
    <Section
      id="left-out"
      title="Left out"
      lead={`${counted(input.num_quarantined, 'file')} quarantined, ${counted(input.num_duplicates, 'duplicate')}, ${counted(numDropped(input), 'degenerate pair')} dropped.`}
    >
      <Dropped input={input} />
      <Quarantine input={input} />
      <Duplicates input={input} />
    </Section>
  );
}

function numDropped({ rounds }: ReportInput): number {
  return rounds.reduce(
    (sum, { dropped }) => sum + Object.values(dropped).reduce((a, b) => a + b, 0),
    0,
  );
}

function Dropped({ input }: { readonly input: ReportInput }): JSX.Element | null {
  if (numDropped(input) === 0) return null;
  const reasons = [...new Set(input.rounds.flatMap(({ dropped }) => Object.keys(dropped)))].sort();
  return (
    <table class="plain">
      <caption>Dropped pairs by reason</caption>
      <thead>
        <tr>
          <th scope="col">Round</th>
          {reasons.map((reason) => (
            <th scope="col" key={reason}>
              <Foreign text={words(reason)} />
            </th>
          ))}
          <th scope="col">kept</th>
        </tr>
      </thead>
      <tbody>
        {input.rounds.map((round) => (
          <tr key={round.round}>
            <th scope="row">{round.round}</th>
            {reasons.map((reason) => (
              <td key={reason}>{count(round.dropped[reason] ?? 0)}</td>
            ))}
            <td>{count(round.num_pairs)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Quarantine({ input }: { readonly input: ReportInput }): JSX.Element | null {
  const { quarantine, num_quarantined } = input;
  if (quarantine.length === 0) return null;
  return (
    <details>
      <summary>
        Quarantine: {counted(num_quarantined, 'file')}
        {quarantine.length < num_quarantined ? `, ${String(quarantine.length)} shown` : ''}
      </summary>
      <ul class="records">
        {quarantine.map((record, index) => (
          <li key={index}>
            <b>{words(record.reason)}</b> <Foreign text={record.source_name} />{' '}
            {record.sha256 === null ? null : <Hash value={record.sha256} />}
            <small>
              <Foreign text={record.detail} />
            </small>
          </li>
        ))}
      </ul>
    </details>
  );
}

function Duplicates({ input }: { readonly input: ReportInput }): JSX.Element | null {
  const { duplicates, num_duplicates } = input;
  if (duplicates.length === 0) return null;
  return (
    <details>
      <summary>
        Duplicates: {counted(num_duplicates, 'file')}
        {duplicates.length < num_duplicates ? `, ${String(duplicates.length)} shown` : ''}
      </summary>
      <ul class="records">
        {duplicates.map((record, index) => (
          <li key={index}>
            <Foreign text={record.source_name} /> <small>has the bytes of</small>{' '}
            <Foreign text={record.duplicate_of} /> <Hash value={record.image_id} />
          </li>
        ))}
      </ul>
    </details>
  );
}
