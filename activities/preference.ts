/** `collectPreferencePairs`: the shards of a round as pairs in TRL's vision format, degenerate ones dropped. */
import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Activities, CollectInput, type ShardSet } from '../contract/activities.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import { QUESTION_STRATEGIES } from '../contract/config-strategies.ts';
import {
  DROP_REASONS,
  type DroppedPair,
  Generation,
  type PreferencePair,
} from '../contract/records.ts';
import type { RunConfig } from '../contract/run-config.ts';
import { SticflowError } from '../store/errors.ts';
import { writeLines } from '../store/lines.ts';
import type { ActivityDependencies } from './context.ts';
import { degeneracyOf } from './degenerate.ts';
import { policyId } from './policy-id.ts';
import { readRunConfig } from './prepare-run.ts';
import { withProgress } from './progress.ts';
import { finishedShard } from './shard-plan.ts';
import { strategyOf } from './strategies/registry.ts';

const STAGE_VERSION = 1;

export function preferenceActivities(
  deps: ActivityDependencies,
): Pick<Activities, 'collectPreferencePairs'> {
  return {
    async collectPreferencePairs(input) {
      const { shards } = CollectInput.parse(input);
      const run = await readRunConfig(deps.store, shards.config);
      const { pairs, dropped, inputs, contrasts } = await collect(deps, shards, run);
      const counts: Record<string, number> = { pairs: pairs.length, dropped: dropped.length };
      for (const { reason } of dropped) {
        counts[`dropped/${reason}`] = (counts[`dropped/${reason}`] ?? 0) + 1;
      }
      if (pairs.length === 0) throw nothingLeft(counts, run.config);
      const spec = {
        kind: 'preference_pairs' as const,
        // Requests too: two draws may have led to the same texts.
        inputs: [shards.source, ...inputs],
        parameters: {
          round: shards.round,
          run_seed: run.config.seed,
          // Two policies may say the same; provenance names the one that did.
          policy: policyId(shards.policy),
          degenerate: { ...run.config.preference.degenerate },
          // The same texts, and none at all, may be paired in several ways.
          ...strategyOf(run.config).pairingKnobs?.(run.config),
        },
        version: STAGE_VERSION,
      };
      const preference_pairs = await deps.store.build(spec, async (directory) => {
        await copyContrasts(deps, contrasts, directory);
        await writeLines(join(directory, 'dropped.jsonl'), dropped);
        return await writeLines(join(directory, 'pairs.jsonl'), pairs);
      });
      return { preference_pairs, counts };
    },
  };
}

interface Collected {
  readonly pairs: PreferencePair[];
  readonly dropped: DroppedPair[];
  readonly inputs: ArtifactRef[];
  /** Artifacts of the corrupted images that a training needs, by file. */
  readonly contrasts: Map<string, ArtifactRef>;
}

/** A training reads its corrupted images from one folder; requests are one folder a shard. */
async function copyContrasts(
  { store }: ActivityDependencies,
  contrasts: Collected['contrasts'],
  directory: string,
): Promise<void> {
  if (contrasts.size > 0) await mkdir(join(directory, 'corrupted'));
  for (const [file, requests] of contrasts) {
    await copyFile(join(store.directory(requests), file), join(directory, file));
  }
}

async function collect(
  { store }: ActivityDependencies,
  shards: ShardSet,
  run: RunConfig,
): Promise<Collected> {
  const collected: Collected = { pairs: [], dropped: [], inputs: [], contrasts: new Map() };
  await withProgress(async (progress) => {
    progress.phase('collecting pairs', shards.num_shards);
    for (let shard = 0; shard < shards.num_shards; shard += 1) {
      const { requests, generations } = await finishedShard(store, run, shards, shard);
      collected.inputs.push(requests, generations);
      const texts = new Map<string, Generation>();
      for await (const text of store.readLines(generations, 'generations.jsonl', Generation)) {
        texts.set(text.request_id, text);
      }
      const shardOf = { store, run, shards, requests, texts };
      for await (const pair of strategyOf(run.config).pairing(shardOf)) {
        add(collected, pair, run);
        if ('reason' in pair || pair.provenance.contrast === undefined) continue;
        collected.contrasts.set(pair.provenance.contrast.image.file, requests);
      }
      progress.advance();
    }
  });
  return collected;
}

function add(
  { pairs, dropped }: Collected,
  pair: PreferencePair | DroppedPair,
  { config }: RunConfig,
): void {
  if ('reason' in pair) {
    dropped.push(pair);
    return;
  }
  const [chosen, rejected] = [textOf(pair.chosen), textOf(pair.rejected)];
  const { chosen_finish_reason, rejected_finish_reason } = pair.provenance;
  const flaw = degeneracyOf(
    { text: chosen, finish_reason: chosen_finish_reason },
    { text: rejected, finish_reason: rejected_finish_reason },
    config.preference.degenerate,
  );
  if (flaw === null) pairs.push(pair);
  else dropped.push({ pair_id: pair.pair_id, ...flaw });
}

function textOf(messages: PreferencePair['chosen']): string {
  return messages.flatMap(({ content }) => content.map(({ text }) => text)).join('');
}

function nothingLeft(
  counts: Record<string, number>,
  { strategy }: ExperimentConfig,
): SticflowError {
  const reasons = Object.entries(counts)
    .filter(([name]) => name.startsWith('dropped/'))
    .map(([name, count]) => `${String(count)} ${name.slice('dropped/'.length)}`);
  const asksQuestions = QUESTION_STRATEGIES.includes(strategy);
  const hints = DROP_REASONS.filter((reason) => counts[`dropped/${reason}`] !== undefined).map(
    (reason) => (reason === 'equal' && asksQuestions ? NOTHING_TO_LEARN : HINTS[reason]),
  );
  return new SticflowError(
    'DataInvalid',
    `Expected at least one preference pair, but all ${String(counts['dropped'])} were dropped (${reasons.join(', ')}). ${[...new Set(hints)].join(' ')}`,
  );
}

const NOTHING_TO_LEARN =
  'Where the policy answers as the instruction set does there is nothing to learn: ask more (infusion.num_examples, turns: every), or plan fewer rounds.';
const HINTS: Record<DroppedPair['reason'], string> = {
  empty: 'Empty texts: look at the model and the prompts with `sticflow describe`.',
  equal: 'Where both sides are equal, raise generation.temperature.',
  cut: 'Where texts are cut, raise generation.max_new_tokens; preference.degenerate.drop_cut: false keeps them.',
  repeating: 'Where texts repeat themselves, raise generation.temperature.',
  no_hallucination:
    'An answer needs a word that can be exchanged, or with hallucinations: given its record rejected_conversations; longer answers have more words.',
  not_verifiable:
    'Answers are compared up to strategy_options.rpo.max_answer_words; raise it, or name questions with shorter answers.',
  all_right: NOTHING_TO_LEARN,
  all_wrong:
    'Where no sample is right, raise strategy_options.rpo.samples, or name questions whose answers are as short as the known ones.',
};
