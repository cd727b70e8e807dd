/** Answers that one side has right and the other has not, and those that both have wrong. */
import type { JSX } from 'preact';
import type { Change, ComparedSet, ComparisonPageInput, ShownItem } from '../comparison-input.ts';
import { counted } from '../format.ts';
import { Difference, Foreign, Picture, Section } from './text.tsx';

/** Both right: nothing to look at. */
const SHOWN = [
  ['fixed', 'Fixed'],
  ['broken', 'Broken'],
  ['both_wrong', 'Wrong on both sides'],
] as const satisfies readonly (readonly [Change, string])[];

const MODES = [
  ['direct', 'direct answers'],
  ['dar', 'describe and respond'],
] as const;

export function ComparedAnswers({ input }: { readonly input: ComparisonPageInput }): JSX.Element {
  return (
    <Section
      id="answers"
      title="Answers"
      lead="Fixed: wrong in A, right in B; broken: the other way round. Marked words stand in one of the two answers only. All items are in the JSON of the same command."
    >
      {input.sets.flatMap((set) =>
        MODES.filter(([mode]) => Object.values(set.counts[mode]).some((total) => total > 0)).map(
          ([mode, title]) => (
            <div key={`${set.set}/${mode}`}>
              <h3>
                <Foreign text={set.set} /> <small>{title}</small>
              </h3>
              {SHOWN.map(([change, label]) => (
                <Answers key={change} set={set} mode={mode} change={change} label={label} />
              ))}
            </div>
          ),
        ),
      )}
    </Section>
  );
}

function Answers(props: {
  readonly set: ComparedSet<ShownItem>;
  readonly mode: 'direct' | 'dar';
  readonly change: Change;
  readonly label: string;
}): JSX.Element | null {
  const { set, mode, change, label } = props;
  const total = set.counts[mode][change];
  if (total === 0) return null;
  const items = set.items.filter((item) => item.mode === mode && item.change === change);
  const shown = items.length < total ? `, ${String(items.length)} shown` : '';
  return (
    <details class={`changes ${change}`}>
      <summary>
        {label}: {counted(total, 'answer')}
        {shown}
      </summary>
      {items.map((item) => (
        <Answer key={item.item_id} item={item} />
      ))}
    </details>
  );
}

/** The side that is right has the colour of the better; of two wrong ones none has. */
const SIDES: Readonly<Record<Change, readonly [a: string, b: string]>> = {
  fixed: ['rejected', 'chosen'],
  broken: ['chosen', 'rejected'],
  both_wrong: ['first', 'second'],
  both_right: ['first', 'second'],
};

function Answer({ item }: { readonly item: ShownItem }): JSX.Element {
  const [a, b] = SIDES[item.change];
  return (
    <article class="change">
      {item.image === null ? (
        <div class="no-picture">a question about text alone</div>
      ) : (
        <Picture uri={item.image_data_uri} alt="the image that was asked about" />
      )}
      <div>
        <p class="question" dir="auto">
          <Foreign text={item.question} />
        </p>
        <p class="expected">
          {item.expected === '' ? (
            'judged'
          ) : (
            <>
              expected{' '}
              <b>
                <Foreign text={item.expected} />
              </b>
            </>
          )}{' '}
          <small>
            <Foreign text={item.item_id} />, scores {item.scores.a} and {item.scores.b}
          </small>
        </p>
        <Difference
          left={{ title: 'A', side: a, text: item.answers.a }}
          right={{ title: 'B', side: b, text: item.answers.b }}
        />
        <Prompts item={item} />
      </div>
    </article>
  );
}

/** Where the question alone was asked, it stands above. */
function Prompts({
  item: { prompts, question },
}: {
  readonly item: ShownItem;
}): JSX.Element | null {
  if (prompts.a === question && prompts.b === question) return null;
  return (
    <details class="provenance">
      <summary>prompts</summary>
      <Difference
        left={{ title: 'A was asked', side: 'first', text: prompts.a }}
        right={{ title: 'B was asked', side: 'second', text: prompts.b }}
      />
    </details>
  );
}
