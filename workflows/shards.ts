/** Workflow `shards`: every shard of one fan-out, a bounded number at a time. */
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { ShardTask } from '../contract/activities.ts';
import type { ShardsInput } from '../contract/workflows.ts';
import { slidingWindow } from './concurrency.ts';
import { Gate } from './gate.ts';
import { holdSignal, shardsProgressSignal } from './messages.ts';
import { ParentReporter } from './parent-reporter.ts';
import { data, generation } from './proxies.ts';

/**
 * Shards of one execution. A shard costs at most 12 events (two activities with their workflow
 * tasks), so a history stays below 5,000; it is also the largest width that has an effect.
 */
const SHARDS_PER_EXECUTION = 300;

/** Pieces of news to the round. Evaluations share a round's history with up to 47 others. */
const REPORTS: Record<ShardTask, number> = {
  preference: 50,
  descriptions: 50,
  answers: 10,
  dar_answers: 10,
};

/** Resolves when every shard has its generations; the first shard that fails fails it. */
export async function shards(input: ShardsInput): Promise<void> {
  const { num_shards, task } = input.shards;
  const parent = new ParentReporter(shardsProgressSignal);
  const reportEvery = Math.max(1, Math.ceil(num_shards / REPORTS[task]));
  let done = input.first_shard;
  const gate: Gate = new Gate(report);
  let hold = 0;
  setHandler(holdSignal, (held, number) => {
    hold = number;
    gate.set(held);
  });

  function report(): void {
    parent.report({ workflow_id: workflowInfo().workflowId, done, at_rest: gate.atRest, hold });
  }

  const end = Math.min(num_shards, input.first_shard + SHARDS_PER_EXECUTION);
  await slidingWindow({ first: input.first_shard, end, width: input.width }, async (shard) => {
    await generate(input, shard, gate);
    done += 1;
    if (done % reportEvery === 0) report();
  });

  // Being held is not carried over: the next execution starts with an open gate.
  await gate.opened();
  await condition(allHandlersFinished);
  await parent.settled();
  if (end < num_shards) await continueAsNew<typeof shards>({ ...input, first_shard: end });
}

async function generate({ shards, label }: ShardsInput, shard: number, gate: Gate): Promise<void> {
  const summary = `${label} · shard ${String(shard + 1)}/${String(shards.num_shards)}`;
  const { requests } = await gate.pass(() =>
    data.prepareShard.executeWithOptions({ summary }, [{ shards, shard }]),
  );
  await gate.pass(() =>
    generation.generateShard.executeWithOptions({ summary }, [{ shards, requests }]),
  );
}
