// Runs that are cancelled or fail, and what starting them again costs.
import { WorkflowFailedError } from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  roundWorkflowId,
  shardsWorkflowId,
  UPDATES,
  WORKFLOWS,
  workflowId,
} from '../../contract/api.ts';
import type { FakeRun } from './fake-run.ts';
import { activitiesOf, endOf, historyOf } from './history.ts';
import { CONFIG, Orchestra, type RunHandle, statusOf, WAIT } from './orchestra.ts';

let orchestra: Orchestra;
beforeAll(async () => {
  orchestra = await Orchestra.start();
});
afterAll(async () => {
  await orchestra.close();
});

const unmeasured = { evaluation_sets: [], decision_set: null, shard_size: 100 };

/** The failure that a run ended with. */
async function failureOf(handle: RunHandle): Promise<unknown> {
  const error: unknown = await handle.result().catch((reason: unknown) => reason);
  if (!(error instanceof WorkflowFailedError)) throw new Error('the run did not fail');
  return error.cause;
}

async function statusName(workflowId: string): Promise<string> {
  return (await orchestra.client.workflow.getHandle(workflowId).describe()).status.name;
}

describe.concurrent('cancel', () => {
  it('in mid-training ends as CANCELED once the training has cleaned up', async () => {
    const run = orchestra.prepare({ plan: unmeasured });
    const training = run.hold('trainPreference', { cleanUp: 'held' });
    const handle = await orchestra.start(run, CONFIG);
    await training.reached();
    const round = roundWorkflowId(handle.workflowId, 1);

    await handle.cancel();
    await training.cancelled();
    expect(await statusName(round)).toBe('RUNNING');
    expect(await statusName(handle.workflowId)).toBe('RUNNING');
    training.letCleanUp();

    expect(await failureOf(handle)).toBeInstanceOf(CancelledFailure);
    expect(await statusName(round)).toBe('CANCELLED');
    expect(await statusName(handle.workflowId)).toBe('CANCELLED');
    expect(run.inputsOf('selectInstructions')).toEqual([]);
  });

  it('leaves a last report and a status that say so', async () => {
    const run = orchestra.prepare({ plan: unmeasured });
    const training = run.hold('trainPreference');
    const handle = await orchestra.start(run, CONFIG);
    await training.reached();

    await handle.cancel();
    await failureOf(handle);

    expect(run.inputsOf('writeReport')).toMatchObject([{ status: { state: 'cancelled' } }]);
    const status = await statusOf(handle);
    expect(status.state).toBe('cancelled');
    expect(status.message).toContain('start it again to go on from what is finished');
  });

  it('reaches every shard of a fan-out', async () => {
    const run = orchestra.prepare({
      num_images: 12,
      plan: { ...unmeasured, shard_size: 4, max_parallel_shards: 3 },
    });
    const shards = run.hold('generateShard');
    const handle = await orchestra.start(run, CONFIG);
    await shards.reached(3);

    await handle.cancel();
    await shards.cancelled(3);

    expect(await failureOf(handle)).toBeInstanceOf(CancelledFailure);
    const fanOut = shardsWorkflowId(roundWorkflowId(handle.workflowId, 1), 'preference');
    expect(await statusName(fanOut)).toBe('CANCELLED');
  });

  it('ends a paused run', async () => {
    const run = orchestra.prepare({ plan: unmeasured });
    const training = run.hold('trainPreference');
    const handle = await orchestra.start(run, CONFIG);
    await training.reached();
    await handle.executeUpdate(UPDATES.pause);
    training.release();

    await handle.cancel();

    expect(await failureOf(handle)).toBeInstanceOf(CancelledFailure);
    expect((await statusOf(handle)).state).toBe('cancelled');
  });
});

describe.concurrent('a failure', () => {
  it('that no retry mends fails the run with its own type and sentence', async () => {
    const sentence = 'Expected pairs to train on, found none: all were dropped.';
    const run = orchestra.prepare({ plan: unmeasured });
    run.fail('collectPreferencePairs', 'DataInvalid', sentence);
    const handle = await orchestra.start(run, CONFIG);

    expect(await failureOf(handle)).toMatchObject({ type: 'DataInvalid', message: sentence });
    expect(await statusName(handle.workflowId)).toBe('FAILED');
    expect(run.inputsOf('collectPreferencePairs')).toHaveLength(1);
    expect(run.inputsOf('trainPreference')).toEqual([]);
    expect(run.inputsOf('writeReport')).toMatchObject([
      {
        status: {
          state: 'failed',
          message: `failed: ${sentence}; start it again to go on from what is finished`,
        },
      },
    ]);
  });

  it('of one shard fails the run and cancels the shards beside it', async () => {
    const run = orchestra.prepare({
      num_images: 8,
      plan: { ...unmeasured, shard_size: 4, max_parallel_shards: 2 },
    });
    const [first, second] = [0, 1].map((shard) =>
      run.hold('prepareShard', { when: (input) => input.shard === shard }),
    );
    run.fail('prepareShard', 'ArtifactMissing', 'The images of this run are gone.');
    const handle = await orchestra.start(run, CONFIG);
    await Promise.all([first?.reached(), second?.reached()]);

    second?.release();
    await first?.cancelled();

    expect(await failureOf(handle)).toMatchObject({ type: 'ArtifactMissing' });
    expect(run.inputsOf('generateShard')).toEqual([]);
  });

  it('of a stage cancels the evaluation beside it before the run ends', async () => {
    const run = orchestra.prepare({ plan: { shard_size: 100 } });
    const answering = run.hold('generateShard', {
      when: ({ shards }) => shards.task === 'answers',
      cleanUp: 'held',
    });
    const collecting = run.hold('collectPreferencePairs');
    run.fail('collectPreferencePairs', 'DataInvalid', 'No pair is left.');
    const handle = await orchestra.start(run, CONFIG);
    await Promise.all([answering.reached(), collecting.reached()]);

    collecting.release();
    await answering.cancelled();
    expect(await statusName(handle.workflowId)).toBe('RUNNING');
    answering.letCleanUp();

    expect(await failureOf(handle)).toMatchObject({ type: 'DataInvalid' });
  });

  it('that a retry may mend is tried again', async () => {
    const run = orchestra.prepare({ plan: unmeasured });
    run.fail('trainPreference', 'ModelProcessDied', 'The model process ended.', 2);
    const handle = await orchestra.start(run, CONFIG);

    expect((await handle.result()).state).toBe('completed');
    expect(run.inputsOf('trainPreference')).toHaveLength(3);
    const round = await historyOf(orchestra.client, roundWorkflowId(handle.workflowId, 1));
    // Attempts of one activity, not activities.
    expect(activitiesOf(round).filter(({ name }) => name === 'trainPreference')).toHaveLength(1);
    expect(endOf(round)).toBe('Completed');
  });

  it.each([
    ['nothing', [], 'selfTraining expects one JSON object with "config"; got nothing.'],
    ['a list', [[]], 'selfTraining expects one JSON object with "config"; got a list.'],
    ['no config', [{}], 'selfTraining expects one JSON object with "config"; "config" is missing.'],
    [
      'an unknown field',
      [{ config: {}, seed: 1 }],
      'selfTraining expects one JSON object with "config"; it has no "seed".',
    ],
    [
      'a state',
      [{ config: {}, state: {} }],
      '"state" is set by the workflow itself; start a run with "config" alone.',
    ],
  ])('of an input with %s is ConfigInvalid, before any activity', async (_what, args, message) => {
    const run = orchestra.prepare();
    const handle = await orchestra.start(run, ...args);

    expect(await failureOf(handle)).toMatchObject({ type: 'ConfigInvalid', message });
    expect(run.calls).toEqual([]);
  });

  it('of the config fails the run without a report: there is nothing to report on', async () => {
    const run = orchestra.prepare();
    run.fail('prepareRun', 'ConfigInvalid', 'Expected `rounds` to be > 0, got 0.');
    const handle = await orchestra.start(run, CONFIG);

    expect(await failureOf(handle)).toMatchObject({
      type: 'ConfigInvalid',
      message: 'Expected `rounds` to be > 0, got 0.',
    });
    expect(run.inputsOf('writeReport')).toEqual([]);
  });
});

describe.concurrent('a run that is started again', () => {
  it('after a failure makes nothing twice and ends with the result of an undisturbed run', async () => {
    const undisturbed = orchestra.prepare();
    const disturbed = orchestra.prepare();
    disturbed.fail('trainInfused', 'NonFiniteLoss', 'The loss of step 2 is not finite.');
    const first = await orchestra.start(disturbed, CONFIG);
    expect(await failureOf(first)).toMatchObject({ type: 'NonFiniteLoss' });

    const expected = await (await orchestra.start(undisturbed, CONFIG)).result();
    const again = await (await orchestra.start(disturbed, CONFIG)).result();

    expect(again.last_result?.sha256).toBe(expected.last_result?.sha256);
    expect(withoutReports(disturbed.made)).toEqual(withoutReports(undisturbed.made));
  });

  it('after a cancel makes nothing twice and ends with the result of an undisturbed run', async () => {
    const undisturbed = orchestra.prepare();
    const disturbed = orchestra.prepare();
    const training = disturbed.hold('trainInfused');
    const first = await orchestra.start(disturbed, CONFIG);
    await training.reached();
    await first.cancel();
    expect(await failureOf(first)).toBeInstanceOf(CancelledFailure);
    training.release();

    const expected = await (await orchestra.start(undisturbed, CONFIG)).result();
    const again = await (await orchestra.start(disturbed, CONFIG)).result();

    expect(again.last_result?.sha256).toBe(expected.last_result?.sha256);
    expect(withoutReports(disturbed.made)).toEqual(withoutReports(undisturbed.made));
  });

  it('after a termination goes on when the round of the old run is gone', async () => {
    const run = orchestra.prepare({ plan: unmeasured });
    const old = await occupyRound(run);
    const handle = await orchestra.start(run, CONFIG);
    await vi.waitFor(async () => {
      const { events } = await historyOf(orchestra.client, handle.workflowId);
      expect(events?.some((event) => event.timerStartedEventAttributes)).toBe(true);
    }, WAIT);

    await old.terminate('its run was terminated');

    expect((await handle.result()).state).toBe('completed');
  });

  it('fails with what to do when the round of the old run stays', async () => {
    const run = orchestra.prepare({ plan: unmeasured });
    const { workflowId: round } = await occupyRound(run);

    const handle = await orchestra.start(run, CONFIG);

    expect(await failureOf(handle)).toMatchObject({
      type: 'ChildStillRunning',
      message:
        `Expected no workflow ${round} to be running, but an earlier run's still is; ` +
        'cancel or terminate it, then start the run again.',
    });
  });
});

/** Something under the id of the first round that nobody works on, as a terminated run leaves it for a moment. */
async function occupyRound(run: FakeRun) {
  return orchestra.client.workflow.start(WORKFLOWS.round, {
    workflowId: roundWorkflowId(workflowId(run.runId), 1),
    taskQueue: 'without-workers',
    args: [],
  });
}

/** Reports are written anew whenever the status changed; evaluations run beside the stages. */
function withoutReports(made: readonly string[]): readonly string[] {
  return made.filter((activity) => activity !== 'writeReport').toSorted();
}
