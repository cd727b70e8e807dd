/** Questions that the end of a round answers right and its start did not, and the other way round. */
import type { JSX } from 'preact';
import { counted } from '../format.ts';
import type { ItemChange, ReportInput, ReportRound } from '../input.ts';
import { policyLabel } from '../measures.ts';
import { Difference, Foreign, Picture, Section } from './text.tsx';

export function Changes({ input }: { readonly input: ReportInput }): JSX.Element {
  const rounds = input.rounds.filter(({ item_changes }) => item_changes !== null);
  return (
    <Section id="changes" title="Answers that changed">
      {rounds.length === 0 ? <p class="empty">No two policies have been compared yet.</p> : null}
      {rounds.map((round) => (
        <RoundChanges key={round.round} round={round} />
      ))}
    </Section>
  );
}

function RoundChanges({ round }: { readonly round: ReportRound }): JSX.Element | null {
  const changes = round.item_changes;
  if (changes === null) return null;
  const totals = round.comparisons.filter(
    ({ from, to }) => from === changes.from && to === changes.to,
  );
  const total = (key: 'num_fixed' | 'num_broken'): number =>
    totals.reduce((sum, { comparison }) => sum + comparison[key], 0);
  return (
    <div class="round-changes">
      <h3>
        Round {round.round}{' '}
        <small>
          {policyLabel(changes.to, round.round).toLowerCase()}, against{' '}
          {policyLabel(changes.from, round.round).toLowerCase()}
        </small>
      </h3>
      <ChangeList kind="fixed" items={changes.fixed} total={total('num_fixed')} />
      <ChangeList kind="broken" items={changes.broken} total={total('num_broken')} />
    </div>
  );
}

function ChangeList(props: {
  readonly kind: 'fixed' | 'broken';
  readonly items: readonly ItemChange[];
  readonly total: number;
}): JSX.Element {
  const { kind, items, total } = props;
  const title = kind === 'fixed' ? 'Fixed' : 'Broken';
  const shown = items.length < total ? `, ${String(items.length)} shown` : '';
  return (
    <details class={`changes ${kind}`}>
      <summary>
        {title}: {counted(total, 'answer')}
        {shown}
      </summary>
      {items.map((item, index) => (
        <article class="change" key={index}>
          <Picture uri={item.image_data_uri} alt="the image that was asked about" />
          <div>
            <p class="question" dir="auto">
              <Foreign text={item.question} />
            </p>
            <p class="expected">
              expected{' '}
              <b>
                <Foreign text={item.expected} />
              </b>{' '}
              <small>
                <Foreign text={item.question_type} />,{' '}
                {item.mode === 'dar' ? 'describe and respond' : 'direct'},{' '}
                <Foreign text={item.set} />
              </small>
            </p>
            <Difference
              left={{
                title: 'Before',
                side: kind === 'fixed' ? 'rejected' : 'chosen',
                text: item.before,
              }}
              right={{
                title: 'After',
                side: kind === 'fixed' ? 'chosen' : 'rejected',
                text: item.after,
              }}
            />
          </div>
        </article>
      ))}
    </details>
  );
}
