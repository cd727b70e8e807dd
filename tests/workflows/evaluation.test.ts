// Workflow `evaluation`: what `sticflow eval` starts.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { roundWorkflowId, shardsWorkflowId, UPDATES } from '../../contract/api.ts';
import { RunStatus } from '../../contract/status.ts';
import { artifact, type FakeRun } from './fake-run.ts';
import { endOf, historyOf } from './history.ts';
import { CONFIG, EVALUATED, Orchestra, statusOf, WAIT } from './orchestra.ts';

let orchestra: Orchestra;
beforeAll(async () => {
  orchestra = await Orchestra.start();
});
afterAll(async () => {
  await orchestra.close();
});

describe.concurrent('an evaluation', () => {
  it('scores the model on every set and trains nothing', async () => {
    const run = orchestra.prepare({ plan: EVALUATED });

    const handle = await orchestra.startEvaluation(run);
    const status = RunStatus.parse(await handle.result());

    expect(status).toMatchObject({
      state: 'completed',
      round: 1,
      message: 'evaluated on 2 sets',
      rounds_done: [{ round: 1, action: 'keep', value: null }],
      // Two sets of three shards, each asked and asked again with its descriptions.
      stages: [{ stage: 'evaluation', state: 'done', done: 12, total: 12 }],
    });
    const called = new Set(run.calls.map(({ activity }) => activity));
    expect([...called].sort()).toEqual([
      'generateShard',
      'prepareEvaluationSet',
      'prepareRun',
      'prepareShard',
      'publishRound',
      'resolveModel',
      'scoreAnswers',
      'writeReport',
    ]);
    expect(run.inputsOf('scoreAnswers').map(({ set }) => set)).toHaveLength(2);
    const [published] = run.inputsOf('publishRound');
    expect(published?.result).toMatchObject({ artifacts: {}, comparisons: [] });
  });

  it('asks several benchmarks at once: a slow shard of one does not hold up the other', async () => {
    const run = orchestra.prepare({ plan: EVALUATED });
    const sets = (): string[] => run.inputsOf('scoreAnswers').map(({ set }) => set);
    const pope = run.hold('generateShard', {
      when: ({ shards }) => shards.source.key === sourceKey(run, 'pope'),
    });
    const handle = await orchestra.startEvaluation(run);

    await pope.reached();
    await vi.waitUntil(() => sets().length === 1, WAIT);
    pope.release();
    await handle.result();

    expect(sets()).toEqual(['scienceqa', 'pope']);
  });

  it('goes on from what is finished when it is started again', async () => {
    const run = orchestra.prepare({ plan: EVALUATED });
    run.fail('scoreAnswers', 'DataInvalid', 'The answers file breaks its format.');

    const failed = await orchestra.startEvaluation(run);
    await expect(failed.result()).rejects.toMatchObject({ cause: { type: 'DataInvalid' } });
    const again = await orchestra.startEvaluation(run);
    await again.result();

    const made = run.made.filter((activity) => activity === 'generateShard');
    expect(made).toHaveLength(12);
  });

  it('has the answers judged between answering and scoring, where the config has a judge', async () => {
    const plan = { ...EVALUATED, evaluation_sets: ['mmvet'] };
    const run = orchestra.prepare({ plan, has_judge: true });

    const handle = await orchestra.startEvaluation(run);
    await handle.result();

    const [judged] = run.inputsOf('judgeAnswers');
    const [unjudged, scored, ...more] = run.inputsOf('scoreAnswers');
    expect(more).toEqual([]);
    expect(unjudged?.judgements).toBeUndefined();
    expect(judged).toMatchObject({ benchmark: 'mmvet', answers_file: 'a.json' });
    expect(scored?.judgements).toMatchObject([{ mode: 'direct' }]);
    const [published] = run.inputsOf('publishRound');
    // What was judged is what counts.
    expect(published?.result.scores[0]?.scores).not.toEqual(judged?.answers);
  });

  it('judges the answers of every set, each once, and scores them by their own judgements', async () => {
    const run = orchestra.prepare({ plan: EVALUATED, has_judge: true });

    const handle = await orchestra.startEvaluation(run);
    await handle.result();

    const judged = run.inputsOf('judgeAnswers').map(({ answers }) => answers.key);
    const scored = run.inputsOf('scoreAnswers');
    const rescored = scored.filter(({ judgements }) => judgements !== undefined);
    expect(new Set(judged).size).toBe(2);
    expect(judged).toHaveLength(2);
    expect(scored).toHaveLength(4);
    expect(rescored.map(({ set }) => set).sort()).toEqual(['pope', 'scienceqa']);
    expect(new Set(rescored.map(({ judgements }) => judgements?.[0]?.judgements.key)).size).toBe(2);
  });

  it('has a checkpoint reply on the gpu queue, again where a reply cannot be read, and judges then', async () => {
    const plan = {
      ...EVALUATED,
      evaluation_sets: ['mmvet', 'llavabench'],
      judge_model: true as const,
    };
    const run = orchestra.prepare({ plan, has_judge: true });

    const handle = await orchestra.startEvaluation(run);
    await handle.result();

    // The checkpoint is resolved once, beside the model that is judged.
    expect(run.inputsOf('resolveModel').map(({ of }) => of)).toEqual([undefined, 'judge']);
    const asked = run.inputsOf('askPolicyJudge').map(({ policy }) => policy?.replies.length);
    expect(asked.toSorted()).toEqual([0, 0, 1, 1, 2, 2]);
    expect(run.inputsOf('generateReplies')).toHaveLength(4);
    const judged = run.inputsOf('judgeAnswers');
    expect(judged.map(({ policy }) => policy?.replies.length)).toEqual([2, 2]);
    expect(run.inputsOf('scoreAnswers')).toHaveLength(4);
  });

  it('pauses between shards, and refuses more rounds', async () => {
    const run = orchestra.prepare({
      plan: { ...EVALUATED, evaluation_sets: ['pope'], max_parallel_shards: 1 },
    });
    const shard = run.hold('generateShard');
    const handle = await orchestra.startEvaluation(run);
    await shard.reached();

    const more = handle.executeUpdate(UPDATES.extendRounds, { args: [{ rounds: 1 }] });
    await expect(more).rejects.toMatchObject({
      cause: {
        message: 'Refused: an evaluation is one round; nothing changes in a second.',
      },
    });
    await handle.executeUpdate(UPDATES.pause);
    shard.release();
    await vi.waitUntil(async () => (await statusOf(handle)).state === 'paused', WAIT);
    await handle.executeUpdate(UPDATES.resume);

    expect(RunStatus.parse(await handle.result()).state).toBe('completed');
  });

  it('ends its fan-outs when it is cancelled', async () => {
    const run = orchestra.prepare({ plan: EVALUATED });
    const shard = run.hold('generateShard');
    const handle = await orchestra.startEvaluation(run);
    await shard.reached();

    await handle.cancel();
    await expect(handle.result()).rejects.toMatchObject({ cause: { name: 'CancelledFailure' } });

    const round = roundWorkflowId(handle.workflowId, 1);
    const fanOut = shardsWorkflowId(round, 'evaluation/base/pope/answers');
    expect(endOf(await historyOf(orchestra.client, fanOut))).toBe('Canceled');
  });

  it('refuses what is no config', async () => {
    const run = orchestra.prepare();
    const handle = await orchestra.client.workflow.start('evaluation', {
      workflowId: `sticflow/${run.runId}`,
      taskQueue: 'sticflow-orchestrator',
      args: [{ ...CONFIG, state: {} }],
    });

    await expect(handle.result()).rejects.toMatchObject({
      cause: {
        type: 'ConfigInvalid',
        message: 'evaluation expects one JSON object with "config"; it has no "state".',
      },
    });
  });
});

/** The artifact of a set; which of several is made first is anybody's guess. */
function sourceKey(run: FakeRun, set: string): string | undefined {
  const input = run.inputsOf('prepareEvaluationSet').find((one) => one.set === set);
  return input && artifact('evaluation_set', input).key;
}
