/** A sharded generation as a child workflow of a round. */
import type { ShardSet } from '../contract/activities.ts';
import { type Stage, shardsWorkflowId, WORKFLOWS } from '../contract/api.ts';
import type { RoundContext, ShardsWorkflow } from './round-context.ts';
import { searchAttributeKeys } from './search-attributes.ts';
import { startChildAnew } from './start-child.ts';

interface FanOut {
  readonly stage: Stage;
  /** What the fan-out is for, below the round: last part of its workflow id. */
  readonly name: string;
  readonly shards: ShardSet;
  readonly onDone: (done: number) => void;
}

/** Runs all shards of a set, `max_parallel_shards` at a time; resolves when the last is done. */
export async function fanOut(
  context: RoundContext,
  { stage, name, shards, onDone }: FanOut,
): Promise<void> {
  const { round, run_id, plan } = context.input;
  const label = `round ${String(round)} · ${name.replaceAll('/', ' · ')}`;
  const handle = await context.gate.pass(() =>
    startChildAnew<ShardsWorkflow>(WORKFLOWS.shards, {
      workflowId: shardsWorkflowId(context.workflowId, name),
      args: [{ shards, width: plan.max_parallel_shards, label, first_shard: 0 }],
      staticSummary: `${label} · ${String(shards.num_shards)} shards`,
      typedSearchAttributes: [
        { key: searchAttributeKeys.run, value: run_id },
        { key: searchAttributeKeys.round, value: round },
        { key: searchAttributeKeys.stage, value: stage },
        { key: searchAttributeKeys.model, value: plan.model_label },
      ],
    }),
  );
  await context.track(handle, onDone);
}

/** The set of shards that covers `num_items` of `source`. */
export function shardSet(
  { input }: RoundContext,
  what: Pick<ShardSet, 'task' | 'policy' | 'source' | 'num_items'>,
): ShardSet {
  const num_shards = Math.ceil(what.num_items / input.plan.shard_size);
  return { ...what, config: input.config, round: input.round, num_shards };
}
