// What people may ask of a run while it runs, and what it refuses.
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { roundWorkflowId, shardsWorkflowId, UPDATES } from '../../contract/api.ts';
import { RunStatus } from '../../contract/status.ts';
import { activitiesOf, historyOf, signalsOf } from './history.ts';
import { CONFIG, Orchestra, type RunHandle, statusOf, WAIT } from './orchestra.ts';

let orchestra: Orchestra;
beforeAll(async () => {
  orchestra = await Orchestra.start();
});
afterAll(async () => {
  await orchestra.close();
});

const plan = { evaluation_sets: [], decision_set: null, shard_size: 100 };

async function update(handle: RunHandle, name: string, input?: unknown): Promise<RunStatus> {
  const answer: unknown =
    input === undefined
      ? await handle.executeUpdate(name)
      : await handle.executeUpdate(name, { args: [input] });
  return RunStatus.parse(answer);
}

/** The sentence with which the run refuses an update. */
async function refusal(handle: RunHandle, name: string, input?: unknown): Promise<string> {
  const error: unknown = await update(handle, name, input).catch((reason: unknown) => reason);
  if (!(error instanceof WorkflowUpdateFailedError)) throw new Error(`${name} was not refused`);
  expect(error.cause).toBeInstanceOf(ApplicationFailure);
  expect(error.cause).toMatchObject({ type: 'UpdateRefused' });
  return error.cause?.message ?? '';
}

async function stateBecomes(handle: RunHandle, state: RunStatus['state']): Promise<void> {
  await vi.waitFor(async () => {
    expect((await statusOf(handle)).state).toBe(state);
  }, WAIT);
}

describe.concurrent('pause', () => {
  it('lets running shards end, starts none until resume, then goes on', async () => {
    const run = orchestra.prepare({
      num_images: 12,
      plan: { ...plan, shard_size: 4, max_parallel_shards: 1 },
    });
    const shard = run.hold('generateShard');
    const handle = await orchestra.start(run, CONFIG);
    await shard.reached();

    expect((await update(handle, UPDATES.pause)).state).toBe('pausing');
    // The word has to come down from the run over the round to the fan-out.
    const fanOut = shardsWorkflowId(roundWorkflowId(handle.workflowId, 1), 'preference');
    await vi.waitFor(async () => {
      expect(signalsOf(await historyOf(orchestra.client, fanOut), 'hold')).toHaveLength(1);
    }, WAIT);
    shard.release();
    await stateBecomes(handle, 'paused');
    const calls = run.calls.length;
    expect((await update(handle, UPDATES.resume)).state).toBe('running');
    await handle.result();

    const history = await historyOf(orchestra.client, fanOut);
    const [held, released] = signalsOf(history, 'hold').map(({ event }) => event);
    const whileHeld = activitiesOf(history).filter(
      ({ scheduled }) => scheduled > (held ?? 0) && scheduled < (released ?? 0),
    );
    expect(signalsOf(history, 'hold').map(({ argument }) => argument)).toEqual([true, false]);
    expect(whileHeld).toEqual([]);
    // prepareRun, resolveModel, ingestImages, and the first shard of three
    expect(calls).toBe(5);
    expect(
      run.inputsOf('generateShard').filter(({ shards }) => shards.task === 'preference'),
    ).toHaveLength(3);
  });

  it('a second time is `pausing` until the shards are at rest again', async () => {
    const run = orchestra.prepare({
      num_images: 12,
      plan: { ...plan, shard_size: 4, max_parallel_shards: 1 },
    });
    const first = run.hold('generateShard');
    const handle = await orchestra.start(run, CONFIG);
    await first.reached();
    await update(handle, UPDATES.pause);
    first.release();
    await stateBecomes(handle, 'paused');

    const second = run.hold('generateShard');
    await update(handle, UPDATES.resume);
    await second.reached();
    expect((await update(handle, UPDATES.pause)).state).toBe('pausing');
    expect((await statusOf(handle)).state).toBe('pausing');
    second.release();
    await stateBecomes(handle, 'paused');
    await update(handle, UPDATES.resume);
    expect((await handle.result()).state).toBe('completed');
  });

  it('is `pausing` whatever the round said about an earlier pause', async () => {
    const run = orchestra.prepare({ plan });
    const training = run.hold('trainPreference');
    const handle = await orchestra.start(run, CONFIG);
    await training.reached();
    await update(handle, UPDATES.pause);
    await update(handle, UPDATES.resume);
    await update(handle, UPDATES.pause);

    // Under way since the first pause, as a signal may be.
    await handle.signal('round_progress', { round: 1, stages: [], at_rest: true, hold: 1 });

    expect((await statusOf(handle)).state).toBe('pausing');
    training.release();
    await stateBecomes(handle, 'paused');
    await update(handle, UPDATES.resume);
    await handle.result();
  });

  it('is `pausing` while a training runs on and `paused` after it', async () => {
    const run = orchestra.prepare({ plan });
    const training = run.hold('trainPreference');
    const handle = await orchestra.start(run, CONFIG);
    await training.reached();

    await update(handle, UPDATES.pause);
    expect((await statusOf(handle)).state).toBe('pausing');
    training.release();
    await stateBecomes(handle, 'paused');
    expect(run.inputsOf('selectInstructions')).toEqual([]);

    await update(handle, UPDATES.resume);
    expect((await handle.result()).state).toBe('completed');
    expect(run.inputsOf('trainPreference')).toHaveLength(1);
  });

  it('holds the border of rounds, where the run may still be told to stop', async () => {
    const run = orchestra.prepare({ plan: { ...plan, rounds: 2 } });
    const publishing = run.hold('publishRound');
    const handle = await orchestra.start(run, CONFIG);
    await publishing.reached();

    await update(handle, UPDATES.pause);
    publishing.release();
    await stateBecomes(handle, 'paused');
    await vi.waitFor(() => {
      expect(run.inputsOf('writeReport')).toHaveLength(1);
    }, WAIT);
    await update(handle, UPDATES.stopAfterRound);
    await update(handle, UPDATES.resume);

    expect(await handle.result()).toMatchObject({ state: 'completed', round: 1, rounds: 2 });
  });

  it('is refused when the run is paused already, resume when it is not', async () => {
    const run = orchestra.prepare({ plan });
    const training = run.hold('trainPreference');
    const handle = await orchestra.start(run, CONFIG);
    await training.reached();

    expect(await refusal(handle, UPDATES.resume)).toBe('Refused: the run is not paused.');
    await update(handle, UPDATES.pause);
    expect(await refusal(handle, UPDATES.pause)).toBe('Refused: the run is paused already.');
    await update(handle, UPDATES.resume);
    training.release();
    await handle.result();

    const { events = [] } = await historyOf(orchestra.client, handle.workflowId);
    const accepted = (events ?? []).filter(
      (event) => event.workflowExecutionUpdateAcceptedEventAttributes,
    );
    // What is refused leaves nothing in the history.
    expect(accepted).toHaveLength(2);
  });
});

describe.concurrent('stop_after_round', () => {
  it('ends the run with the round that is under way', async () => {
    const run = orchestra.prepare({ plan: { ...plan, rounds: 3 } });
    const training = run.hold('trainPreference');
    const handle = await orchestra.start(run, CONFIG);
    await training.reached();

    expect((await update(handle, UPDATES.stopAfterRound)).state).toBe('stopping');
    expect(await refusal(handle, UPDATES.stopAfterRound)).toBe(
      'Refused: the run stops after this round already.',
    );
    expect(await refusal(handle, UPDATES.extendRounds, { rounds: 1 })).toBe(
      'Refused: the run stops after this round; no rounds can be added any more.',
    );
    training.release();

    expect(await handle.result()).toMatchObject({ state: 'completed', round: 1, rounds: 3 });
    expect(run.inputsOf('trainInfused')).toHaveLength(1);
  });
});

describe.concurrent('extend_rounds', () => {
  it('adds a round to those that are planned', async () => {
    const run = orchestra.prepare({ plan });
    const training = run.hold('trainPreference');
    const handle = await orchestra.start(run, CONFIG);
    await training.reached();

    expect((await update(handle, UPDATES.extendRounds, { rounds: 1 })).rounds).toBe(2);
    training.release();

    expect(await handle.result()).toMatchObject({ state: 'completed', round: 2, rounds: 2 });
    expect(run.inputsOf('trainInfused')).toHaveLength(2);
  });

  it('refuses what is no number of rounds, and more than a run may have', async () => {
    const run = orchestra.prepare({ plan });
    const training = run.hold('trainPreference');
    const handle = await orchestra.start(run, CONFIG);
    await training.reached();

    const expected = 'Refused: expected {"rounds": <rounds to add, 1 or more>}, got';
    for (const [input, got] of [
      [undefined, 'nothing'],
      [{ rounds: 0 }, '{"rounds":0}'],
      [{ rounds: 1.5 }, '{"rounds":1.5}'],
      [{ rounds: '2' }, '{"rounds":"2"}'],
      [2, '2'],
      [null, 'null'],
    ] as const) {
      expect(await refusal(handle, UPDATES.extendRounds, input)).toBe(`${expected} ${got}.`);
    }
    expect(await refusal(handle, UPDATES.extendRounds, { rounds: 50 })).toBe(
      'Refused: 1 rounds are planned and 50 more would exceed 50.',
    );
    training.release();
    expect((await handle.result()).round).toBe(1);
  });

  it('is refused before the config is checked', async () => {
    const run = orchestra.prepare({ plan });
    const checking = run.hold('prepareRun');
    const handle = await orchestra.start(run, CONFIG);
    await checking.reached();

    expect((await statusOf(handle)).state).toBe('starting');
    expect(await refusal(handle, UPDATES.extendRounds, { rounds: 1 })).toBe(
      'Refused: the config is not checked yet; ask again shortly.',
    );
    checking.release();
    await handle.result();
  });
});
