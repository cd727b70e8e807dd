/** Gallery of preference pairs. The filter is CSS alone (report/style.ts): the page has no script. */
import type { JSX } from 'preact';
import { type Corruption, type PreferencePair, RejectionSource } from '../../contract/records.ts';
import { counted, words } from '../format.ts';
import type { PairSample, ReportInput, ReportRound } from '../input.ts';
import { Difference, Foreign, Hash, Picture, Section } from './text.tsx';

export function Pairs({ input }: { readonly input: ReportInput }): JSX.Element {
  const shown = input.rounds.reduce((sum, { pairs }) => sum + pairs.length, 0);
  const present = new Set(
    input.rounds.flatMap(({ pairs }) => pairs.map(({ pair }) => pair.provenance.rejection_source)),
  );
  const made = input.rounds.reduce((sum, { num_pairs }) => sum + num_pairs, 0);
  if (shown === 0) {
    return (
      <Section id="pairs" title="Preference pairs">
        <p class="empty">
          {made === 0 ? 'No pairs yet.' : `${counted(made, 'pair')}, none sampled for this page.`}
        </p>
      </Section>
    );
  }
  return (
    <Section
      id="pairs"
      title="Preference pairs"
      lead={`${String(shown)} of ${counted(made, 'pair')}. Marked words stand in one of the two texts only. Both texts were trained with the clean image.`}
    >
      <fieldset class="filter">
        <legend>Rejected text from</legend>
        <Choice value="all" label="any source" checked />
        {RejectionSource.options
          .filter((source) => present.has(source))
          .map((source) => (
            <Choice key={source} value={source} label={words(source)} />
          ))}
      </fieldset>
      {input.rounds.map((round) => (
        <RoundPairs key={round.round} round={round} />
      ))}
    </Section>
  );
}

function Choice(props: {
  readonly value: string;
  readonly label: string;
  readonly checked?: true;
}): JSX.Element {
  return (
    <label>
      <input
        type="radio"
        name="rejection-source"
        value={props.value}
        id={`filter-${props.value}`}
        checked={props.checked === true}
      />
      {props.label}
    </label>
  );
}

function RoundPairs({ round }: { readonly round: ReportRound }): JSX.Element | null {
  if (round.pairs.length === 0) return null;
  return (
    <>
      <h3>
        Round {round.round} <small>{counted(round.num_pairs, 'pair')}</small>
      </h3>
      {round.pairs.map((sample) => (
        <Pair key={sample.pair.pair_id} sample={sample} />
      ))}
    </>
  );
}

function Pair({ sample }: { readonly sample: PairSample }): JSX.Element {
  const { pair, image_data_uri, corrupted_image_data_uri } = sample;
  const { provenance } = pair;
  return (
    <article class={`pair ${provenance.rejection_source}`}>
      <div class="pictures">
        <figure>
          <Picture uri={image_data_uri} alt={`image ${provenance.source_name}`} />
          <figcaption>clean</figcaption>
        </figure>
        {provenance.corruption === null ? null : (
          <figure>
            <Picture uri={corrupted_image_data_uri} alt="the same image, corrupted" />
            <figcaption>{words(provenance.corruption.kind)}</figcaption>
          </figure>
        )}
      </div>
      <div class="texts">
        <p class="prompt" dir="auto">
          <Foreign text={pair.prompt.flatMap(({ content }) => textsOf(content)).join('\n')} />
        </p>
        <Difference
          left={{ title: 'Chosen', side: 'chosen', text: completion(pair.chosen) }}
          right={{ title: 'Rejected', side: 'rejected', text: completion(pair.rejected) }}
        />
        <Provenance pair={pair} />
      </div>
    </article>
  );
}

function textsOf(content: PreferencePair['prompt'][number]['content']): string[] {
  return content.flatMap((part) => (part.type === 'text' ? [part.text] : []));
}

function completion(messages: PreferencePair['chosen']): string {
  return messages.flatMap(({ content }) => textsOf(content)).join('\n');
}

function Provenance({
  pair: { pair_id, provenance: from },
}: {
  readonly pair: PreferencePair;
}): JSX.Element {
  const policy = from.policy.adapter_sha256;
  return (
    <details class="provenance">
      <summary>
        <span class={`source ${from.rejection_source}`}>{words(from.rejection_source)}</span>{' '}
        <Foreign text={from.source_name} />
      </summary>
      <dl class="facts-list">
        <dt>pair</dt>
        <dd>
          <Foreign text={pair_id} />
        </dd>
        <dt>prompts</dt>
        <dd>
          stored <Foreign text={from.prompt_id} />, chosen <Foreign text={from.chosen_prompt_id} />,
          rejected <Foreign text={from.rejected_prompt_id} />
        </dd>
        {from.corruption === null ? null : (
          <>
            <dt>corruption</dt>
            <dd>{corruptionText(from.corruption)}</dd>
          </>
        )}
        <dt>policy</dt>
        <dd>
          model <Hash value={from.policy.model_sha256} />,{' '}
          {policy === null ? 'no adapter' : 'adapter '}
          {policy === null ? null : <Hash value={policy} />}
        </dd>
        <dt>image</dt>
        <dd>
          <Hash value={from.image_id} />
        </dd>
        <dt>seeds</dt>
        <dd>
          run {from.run_seed}, chosen {from.chosen_seed ?? 'given'}, rejected{' '}
          {from.rejected_seed ?? 'given'}
        </dd>
        <dt>sampling</dt>
        <dd>
          temperature {from.sampling.temperature}, top_p {from.sampling.top_p ?? 'off'}, at most{' '}
          {from.sampling.max_new_tokens} tokens
        </dd>
        <dt>ended by</dt>
        <dd>
          chosen {from.chosen_finish_reason}, rejected {from.rejected_finish_reason}
        </dd>
      </dl>
    </details>
  );
}

function corruptionText(corruption: Corruption): string {
  switch (corruption.kind) {
    case 'low_resolution':
      return `down to ${String(corruption.width)} x ${String(corruption.height)} pixels`;
    case 'color_jitter':
      return `brightness x ${corruption.brightness_factor.toFixed(3)}, hue ${corruption.hue_shift.toFixed(3)} of the circle, ${words(corruption.order)}`;
    case 'blur':
      return `Gaussian of ${corruption.sigma.toFixed(2)} pixels`;
    case 'jpeg':
      return `quality ${String(corruption.quality)}`;
    case 'occlusion':
    case 'crop': {
      const { width, height, left, top } = corruption;
      return `${String(width)} x ${String(height)} pixels at ${String(left)}, ${String(top)}`;
    }
    case 'patch_shuffle':
      return `${String(corruption.columns)} x ${String(corruption.rows)} tiles, seed ${String(corruption.seed)}`;
    case 'noise':
      return `step ${String(corruption.step)} of the forward diffusion, seed ${String(corruption.seed)}`;
  }
}
