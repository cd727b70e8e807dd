/**
 * What orchestration costs: the wall time of a run, from its first to its last event, over the plain sum of
 * its model work (every activity on the gpu queue, from started to ended). Decoding, corrupting, scoring,
 * reporting, hand-overs and idle moments of the model are all in the wall time.
 */
import { durableRun } from './durable-run.ts';
import { type Bench, rounded } from './result.ts';

/** Long enough that starting up does not decide: more than ten minutes on two cores. */
const OVERRIDES = ['rounds=4'];

export const orchestration: Bench = async ({ config, overrides, say }) => {
  const name = config ?? 'scenes';
  const set = config === null && overrides.length === 0 ? OVERRIDES : overrides;
  say(`a durable run of ${name} ${set.join(' ')} ...`);
  const run = await durableRun(name, set);
  try {
    const { wall_seconds, model_work_seconds, num_model_activities, events } = run.times;
    return {
      name: 'orchestration',
      peer: 'the plain sum of the model work of the same run',
      ratio: rounded(wall_seconds / model_work_seconds),
      details: {
        meaning: 'wall time of the run over the sum of its gpu activities; 1 = no overhead',
        wall_seconds: rounded(wall_seconds),
        model_work_seconds: rounded(model_work_seconds),
        num_model_activities,
        events,
        config: name,
        set,
        run_id: run.runId,
      },
    };
  } finally {
    await run.remove();
  }
};
