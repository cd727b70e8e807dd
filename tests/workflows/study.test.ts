// Workflow `study`: arms as child runs, what a failed arm leaves, and what a restart costs.
import { WorkflowFailedError } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STATUS_QUERY, workflowId } from '../../contract/api.ts';
import { StudyStatus } from '../../contract/study.ts';
import type { FakeRun, StudySettings } from './fake-run.ts';
import { historyOf } from './history.ts';
import { Orchestra, WORKFLOW_BUNDLE } from './orchestra.ts';
import { replay } from './replay.ts';

let orchestra: Orchestra;
beforeAll(async () => {
  orchestra = await Orchestra.start();
});
afterAll(async () => {
  await orchestra.close();
});

const unmeasured = { evaluation_sets: [], decision_set: null, shard_size: 100 };

interface Cast {
  /** Serves the study's own activities. */
  readonly study: FakeRun;
  /** One for each run of the study, in its order. */
  readonly arms: readonly FakeRun[];
}

/** A study of so many arms, each of which is a fake run of its own. */
function cast(numArms: number, more: Partial<StudySettings> = {}): Cast {
  const arms = Array.from({ length: numArms }, () => orchestra.prepare({ plan: unmeasured }));
  const study = orchestra.prepare({ study: { run_ids: arms.map(({ runId }) => runId), ...more } });
  return { study, arms };
}

async function start({ study }: Cast, ...input: unknown[]) {
  return orchestra.startStudy(study, ...input);
}

function trainings({ arms }: Cast): number[] {
  return arms.map((arm) => arm.made.filter((name) => name === 'trainPreference').length);
}

describe.concurrent('a study', () => {
  it('runs every arm as a run of its own and ends in an artifact', async () => {
    const whole = cast(3);
    const handle = await start(whole);
    const status = StudyStatus.parse(await handle.result());

    expect(status).toMatchObject({ state: 'completed', message: 'finished' });
    expect(status.result).toMatch(/^[0-9a-f]{32}$/);
    expect(status.runs.map(({ state, run_id }) => [state, run_id])).toEqual(
      whole.arms.map(({ runId }) => ['completed', runId]),
    );
    expect(trainings(whole)).toEqual([1, 1, 1]);
    const [{ outcomes } = { outcomes: [] }] = whole.study.inputsOf('writeStudy');
    for (const outcome of outcomes) expect(outcome.last_result).toMatch(/^[0-9a-f]{32}$/);
  });

  it('shows a failed arm as failed, with its sentence, and finishes the others', async () => {
    const whole = cast(3);
    const sentence = 'Expected pairs to train on, found none: all were dropped.';
    whole.arms[1]?.fail('collectPreferencePairs', 'DataInvalid', sentence);
    const status = StudyStatus.parse(await (await start(whole)).result());

    expect(status.state).toBe('completed');
    expect(status.runs.map(({ state }) => state)).toEqual(['completed', 'failed', 'completed']);
    expect(whole.study.inputsOf('writeStudy')).toMatchObject([
      {
        outcomes: [
          { state: 'completed' },
          { state: 'failed', run_id: whole.arms[1]?.runId, last_result: null, message: sentence },
          { state: 'completed' },
        ],
      },
    ]);
  });

  it('leaves out an arm that this version does not have, and says so', async () => {
    const whole = cast(2, { unavailable: [1] });
    const status = StudyStatus.parse(await (await start(whole)).result());

    expect(status.runs.map(({ state }) => state)).toEqual(['completed', 'not_available']);
    expect(whole.arms[1]?.calls).toEqual([]);
  });

  it('starts an arm only after the one whose artifacts it reads, whether or not that failed', async () => {
    const whole = cast(2, { after: [null, 0] });
    const [first, second] = whole.arms;
    const training = first?.hold('trainPreference');
    first?.fail('trainPreference', 'NonFiniteLoss', 'The loss of step 2 is not finite.');
    const handle = await start(whole);
    await training?.reached();

    expect(second?.calls).toEqual([]);
    training?.release();

    const status = StudyStatus.parse(await handle.result());
    expect(status.runs.map(({ state }) => state)).toEqual(['failed', 'completed']);
  });

  it('has two runs under way at most', async () => {
    const whole = cast(4);
    const holds = whole.arms.map((arm) => arm.hold('trainPreference'));
    const handle = await start(whole);
    await Promise.all([holds[0]?.reached(), holds[1]?.reached()]);
    const status = StudyStatus.parse(await handle.query(STATUS_QUERY));

    expect(status.runs.map(({ state }) => state)).toEqual([
      'running',
      'running',
      'waiting',
      'waiting',
    ]);
    for (const hold of holds) hold.release();
    await handle.result();
  });

  it('that was terminated in the middle goes on and makes nothing twice', async () => {
    const whole = cast(3);
    const training = whole.arms[1]?.hold('trainInfused');
    const killed = await start(whole);
    await training?.reached();
    await killed.terminate('the machine is gone');
    training?.release();

    const status = StudyStatus.parse(await (await start(whole)).result());

    expect(status.runs.map(({ state }) => state)).toEqual(['completed', 'completed', 'completed']);
    expect(trainings(whole)).toEqual([1, 1, 1]);
  });

  it('that is cancelled cancels its runs and writes nothing', async () => {
    const whole = cast(2);
    const training = whole.arms[0]?.hold('trainPreference');
    const handle = await start(whole);
    await training?.reached();

    await handle.cancel();
    await training?.cancelled();
    const error: unknown = await handle.result().catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(WorkflowFailedError);
    const child = orchestra.client.workflow.getHandle(workflowId(whole.arms[0]?.runId ?? ''));
    expect((await child.describe()).status.name).toBe('CANCELLED');
    expect(whole.study.inputsOf('writeStudy')).toEqual([]);
  });

  it('embeds images, compares them and hands the comparison to the page', async () => {
    const whole = cast(1, { features_run: 0, feature_sets: ['test', 'dev'] });
    await (await start(whole)).result();

    expect(whole.study.inputsOf('embedImages')).toHaveLength(3);
    expect(whole.study.inputsOf('compareFeatures')).toMatchObject([
      {
        reference: { name: 'unlabelled' },
        sets: [{ name: 'test' }, { name: 'dev' }],
        project: true,
      },
    ]);
    expect(whole.study.inputsOf('writeStudy')).toMatchObject([
      { feature_comparison: { kind: 'feature_comparison' } },
    ]);
  });

  it('selects images for an arm before it runs', async () => {
    const whole = cast(2, { selects: [1] });
    await (await start(whole)).result();

    expect(whole.study.inputsOf('compareFeatures')).toMatchObject([
      { reference: { name: 'dev' }, sets: [{ name: 'unlabelled' }], project: false },
    ]);
    const runs = whole.study.inputsOf('studyRun').filter(({ run }) => run === 1);
    expect(runs.map(({ images }) => images)).toEqual([null, `source:${'5'.repeat(32)}`]);
  });

  it('replays, and refuses an input without a request', async () => {
    const whole = cast(2);
    const handle = await start(whole);
    await handle.result();
    const history = await historyOf(orchestra.client, handle.workflowId);
    const recorded = [
      { workflow_id: handle.workflowId, history: JSON.parse(historyToJSON(history)) as unknown },
    ];

    const results = await replay({ codePath: WORKFLOW_BUNDLE }, recorded);
    expect(results.filter(({ error }) => error !== undefined)).toEqual([]);

    const refused = await start(cast(1), { study: 'table2' });
    await expect(refused.result()).rejects.toMatchObject({
      cause: {
        type: 'ConfigInvalid',
        message: 'study expects one JSON object with "request"; it has no "study".',
      },
    });
  });
});
