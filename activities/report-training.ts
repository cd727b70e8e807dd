/** What the report says of the trainings of a round: curves, and what was done otherwise than usual. */
import { z } from 'zod';
import type { RoundResult } from '../contract/status.ts';
import type { ReportRound, TrainingFacts, TrainingRow } from '../report/input.ts';
import type { Store } from '../store/store.ts';
import { collected } from './collected.ts';

const MetricsLine = z.record(z.string(), z.number());

/** What is read of training.json; a training of an older version says less. */
const Facts = z.object({
  forward: z.string().optional(),
  forward_reason: z.string().optional(),
  packed: z.boolean().optional(),
  packed_reason: z.string().optional(),
  quantization: z.string().optional(),
  finetuning: z.string().nullish(),
  world_size: z.int().optional(),
  deviations: z
    .array(z.object({ name: z.string(), step: z.int(), micro_batch_size: z.int() }))
    .optional(),
}) satisfies z.ZodType<TrainingFacts>;

type Stage = 'preference_training' | 'infused_training';

/** Curves and facts of both trainings, of those that are done. */
export async function trainingsOf(
  store: Store,
  result: RoundResult,
): Promise<Pick<ReportRound, 'training' | 'training_facts'>> {
  const training: Partial<Record<Stage, TrainingRow[]>> = {};
  const training_facts: Partial<Record<Stage, TrainingFacts>> = {};
  for (const stage of ['preference_training', 'infused_training'] as const) {
    const adapter = result.artifacts[`adapter_${stage}`];
    if (adapter === undefined) continue;
    const lines = await collected(store.readLines(adapter, 'metrics.jsonl', MetricsLine));
    training[stage] = lines.map(({ step, ...values }) => ({ step: step ?? 0, values }));
    training_facts[stage] = await store.readJson(adapter, 'training.json', Facts);
  }
  return { training, training_facts };
}
