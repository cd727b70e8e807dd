// The activities of a round: which, in which order, with which policy, and how many at once.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { roundWorkflowId, shardsWorkflowId, workflowId } from '../../contract/api.ts';
import { activitiesOf, historyOf, mostAtOnce, originOf } from './history.ts';
import { CONFIG, Orchestra, WAIT } from './orchestra.ts';

let orchestra: Orchestra;
beforeAll(async () => {
  orchestra = await Orchestra.start();
});
afterAll(async () => {
  await orchestra.close();
});

const unmeasured = { evaluation_sets: [], decision_set: null };
const preferenceShardsOf = (runId: string): string =>
  shardsWorkflowId(roundWorkflowId(workflowId(runId), 1), 'preference');

describe.concurrent('a round', () => {
  it('is the two algorithms of the paper, one after the other', async () => {
    const { run } = await orchestra.play({ plan: { ...unmeasured, shard_size: 100 } });

    expect(run.calls.map(({ activity }) => activity)).toEqual([
      'prepareRun',
      'resolveModel',
      'ingestImages',
      // Algorithm 1
      'prepareShard',
      'generateShard',
      'collectPreferencePairs',
      'trainPreference',
      // Algorithm 2
      'selectInstructions',
      'prepareShard',
      'generateShard',
      'collectInfusedExamples',
      'trainInfused',
      'publishRound',
      'writeReport',
    ]);
  });

  it('lets each stage use the policy that the stage before it made', async () => {
    const { run } = await orchestra.play({ plan: { shard_size: 100 } });

    const [preference] = run.inputsOf('trainPreference');
    const [infused] = run.inputsOf('trainInfused');
    const generated = run.inputsOf('generateShard').map(({ shards }) => shards);
    const [published] = run.inputsOf('publishRound');
    const afterStage1 = infused?.policy.adapter;
    const afterStage2 = published?.result.end_policy.adapter;
    const adapterFor = (task: string) =>
      generated.filter((shards) => shards.task === task).map(({ policy }) => policy.adapter);

    expect(afterStage1).toMatchObject({ kind: 'adapter' });
    expect(afterStage2).toMatchObject({ kind: 'adapter' });
    expect(afterStage2).not.toEqual(afterStage1);
    expect(preference?.policy.adapter).toBeNull();
    expect(adapterFor('preference')).toEqual([null]);
    expect(adapterFor('descriptions')).toEqual([afterStage1]);
    expect(adapterFor('answers')).toEqual([null, afterStage1, afterStage2]);
    expect(published?.result.scores.map(({ policy }) => policy)).toEqual([
      'base',
      'preference_training',
      'infused_training',
    ]);
    expect(published?.result.comparisons.map(({ from, to }) => [from, to])).toEqual([
      ['base', 'preference_training'],
      ['preference_training', 'infused_training'],
      ['base', 'infused_training'],
    ]);
  });

  it('trains on instructions without descriptions in the control', async () => {
    const { run } = await orchestra.play({
      plan: { ...unmeasured, describes_instructions: false },
    });

    const tasks = run.inputsOf('generateShard').map(({ shards }) => shards.task);
    expect(new Set(tasks)).toEqual(new Set(['preference']));
    expect(run.inputsOf('collectInfusedExamples')).toMatchObject([{ shards: null }]);
  });

  it('makes pairs about instructions where the strategy asks questions', async () => {
    const { run } = await orchestra.play({
      plan: {
        ...unmeasured,
        training_stages: ['preference_training'],
        pairs_from: 'instructions',
        shard_size: 100,
      },
      num_instructions: 5,
    });

    const [selected] = run.inputsOf('selectInstructions');
    const [collected] = run.inputsOf('collectPreferencePairs');
    expect(selected?.round).toBe(1);
    expect(collected?.shards).toMatchObject({
      task: 'preference',
      source: { kind: 'instructions' },
      num_items: 5,
    });
    expect(run.inputsOf('trainPreference')).toHaveLength(1);
  });

  it('does not take the images for trained on where the pairs are about instructions', async () => {
    const { run } = await orchestra.play({ plan: { pairs_from: 'instructions' } });

    const trainedOn = run.inputsOf('scoreAnswers').map(({ training_images }) => training_images);
    expect(trainedOn.length).toBeGreaterThan(0);
    expect(new Set(trainedOn.flat())).toEqual(new Set());
  });

  it('hands pairs and examples of the start policy to one training where the plan says so', async () => {
    const { run, status } = await orchestra.play({
      plan: { ...unmeasured, single_stage: true, shard_size: 100 },
    });

    expect(run.inputsOf('trainInfused')).toEqual([]);
    const [trained, ...more] = run.inputsOf('trainPreference');
    expect(more).toEqual([]);
    expect(trained).toMatchObject({
      policy: { adapter: null },
      preference_pairs: { kind: 'preference_pairs' },
      infused_examples: { kind: 'infused_examples' },
    });
    expect(run.inputsOf('collectInfusedExamples')).toMatchObject([{ policy: { adapter: null } }]);
    expect(status.stages).toMatchObject([
      { stage: 'ingest', state: 'done' },
      { stage: 'preference', state: 'done' },
      { stage: 'preference_training', state: 'done' },
      { stage: 'infusion', state: 'done' },
      { stage: 'infused_training', state: 'skipped' },
      { stage: 'evaluation' },
    ]);
  });

  it('leaves out a training stage that the config does not name, and says so', async () => {
    const { run, status } = await orchestra.play({
      plan: { training_stages: ['infused_training'] },
    });

    expect(run.inputsOf('trainPreference')).toEqual([]);
    expect(run.inputsOf('collectPreferencePairs')).toEqual([]);
    expect(run.inputsOf('trainInfused')).toMatchObject([{ policy: { adapter: null } }]);
    expect(status.stages).toMatchObject([
      { stage: 'ingest', state: 'done' },
      { stage: 'preference', state: 'skipped' },
      { stage: 'preference_training', state: 'skipped' },
      { stage: 'infusion', state: 'done' },
      { stage: 'infused_training', state: 'done' },
      // Base and the one policy that was made, one shard of the set each.
      { stage: 'evaluation', state: 'done', done: 2, total: 2 },
    ]);
  });

  it('lets describe-and-respond read the descriptions that the same policy just wrote', async () => {
    const { run } = await orchestra.play({
      plan: { answers_dar: true, evaluated_policies: ['infused_training'], shard_size: 100 },
    });

    const shards = run.inputsOf('generateShard').map((input) => input.shards);
    const ofTask = (wanted: string) => shards.filter(({ task }) => task === wanted);
    const [answers, ...moreAnswers] = ofTask('answers');
    const [dar_answers, ...moreDarAnswers] = ofTask('dar_answers');
    expect([...moreAnswers, ...moreDarAnswers]).toEqual([]);
    expect(run.inputsOf('scoreAnswers')).toEqual([
      {
        set: 'scenes-qa',
        answers,
        dar_answers,
        // Contamination is looked for among the images that the run trains on.
        training_images: [ofTask('preference')[0]?.source],
      },
    ]);
  });

  it('evaluates a policy beside the stages that follow', async () => {
    const run = orchestra.prepare();
    const training = run.hold('trainPreference');
    const handle = await orchestra.start(run, CONFIG);

    await training.reached();
    await vi.waitFor(() => {
      expect(run.inputsOf('scoreAnswers')).toHaveLength(1);
    }, WAIT);
    training.release();

    expect((await handle.result()).state).toBe('completed');
  });
});

describe.concurrent('a fan-out', () => {
  it('has max_parallel_shards shards open and never more', async () => {
    const { run } = await orchestra.play({
      num_images: 32,
      plan: { ...unmeasured, shard_size: 4, max_parallel_shards: 3 },
    });

    const history = await historyOf(orchestra.client, preferenceShardsOf(run.runId));
    // 8 shards, each prepared and generated.
    expect(activitiesOf(history)).toHaveLength(16);
    expect(mostAtOnce(history)).toBe(3);
  });

  it('covers images_per_round images of those there are', async () => {
    const { run } = await orchestra.play({
      num_images: 32,
      plan: { ...unmeasured, shard_size: 4, images_per_round: 10 },
    });

    const shards = run
      .inputsOf('prepareShard')
      .filter((input) => input.shards.task === 'preference')
      .map(({ shard }) => shard);
    // 4 + 4 + 2 images
    expect(shards.toSorted()).toEqual([0, 1, 2]);
  });

  it('of more shards than a history should hold continues as new and repeats none', async () => {
    const { run } = await orchestra.play({
      num_images: 304,
      plan: {
        ...unmeasured,
        training_stages: ['preference_training'],
        shard_size: 1,
        max_parallel_shards: 60,
      },
    });

    const generated = run.inputsOf('generateShard').map(({ requests }) => requests.key);
    const last = await historyOf(orchestra.client, preferenceShardsOf(run.runId));
    expect(generated).toHaveLength(304);
    expect(new Set(generated).size).toBe(304);
    expect(originOf(last).continuedFrom).not.toBe('');
    expect(originOf(last).input).toMatchObject({ first_shard: 300 });
    // The 4 shards that 300 do not hold.
    expect(activitiesOf(last)).toHaveLength(8);
  });

  it('passes references only, far below the 8 KB that the contract allows', async () => {
    const { run } = await orchestra.play({
      plan: { evaluation_sets: ['scenes-qa', 'photographs'], shard_size: 100, answers_dar: true },
    });

    expect(run.largestPayload).toBeGreaterThan(1000);
    expect(run.largestPayload).toBeLessThan(8192);
  });
});
