// A run over its rounds: what it hands over at a border, what it decides, and what it shows meanwhile.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { roundWorkflowId, SEARCH_ATTRIBUTES, shardsWorkflowId } from '../../contract/api.ts';
import type { RunPlan } from '../../contract/run-plan.ts';
import { GAIN, LOSS } from './fake-run.ts';
import { activitiesOf, endOf, historyOf, originOf } from './history.ts';
import { CONFIG, Orchestra, type RunHandle, statusOf, WAIT } from './orchestra.ts';

let orchestra: Orchestra;
beforeAll(async () => {
  orchestra = await Orchestra.start();
});
afterAll(async () => {
  await orchestra.close();
});

/** One shard each, one evaluation set, only the policies that decide. */
const plan: Partial<RunPlan> = {
  shard_size: 100,
  evaluated_policies: ['base', 'infused_training'],
};

async function attributesOf(handle: RunHandle): Promise<Record<string, unknown>> {
  const { typedSearchAttributes } = await handle.describe();
  return Object.fromEntries(
    typedSearchAttributes.getAll().map(({ key, value }) => [key.name, value]),
  );
}

async function detailsOf(handle: RunHandle): Promise<string> {
  const metadata: { currentDetails: string } = await handle.query('__temporal_workflow_metadata');
  return metadata.currentDetails;
}

describe.concurrent('a run of two rounds', () => {
  it('continues as new at the border and starts round 2 from what round 1 left', async () => {
    const { run, handle, status } = await orchestra.play({ plan: { ...plan, rounds: 2 } });

    const first = await historyOf(orchestra.client, handle.workflowId, handle.firstExecutionRunId);
    const second = await historyOf(orchestra.client, handle.workflowId);
    const [round1, round2] = run.inputsOf('publishRound').map(({ result }) => result);
    expect(endOf(first)).toBe('ContinuedAsNew');
    expect(originOf(second)).toMatchObject({
      continuedFrom: handle.firstExecutionRunId,
      input: { config: null, state: { next_round: 2, stop_requested: false } },
    });
    expect(round1?.end_policy.adapter).not.toBeNull();
    expect(round2?.start_policy).toEqual(round1?.end_policy);
    expect(round2?.previous).toMatchObject({ kind: 'round_result' });
    // Brought in once, for all rounds.
    expect(run.inputsOf('resolveModel')).toHaveLength(1);
    expect(run.inputsOf('ingestImages')).toHaveLength(1);
    expect(status).toMatchObject({
      state: 'completed',
      round: 2,
      // 0.5 + the gain
      rounds_done: [
        { round: 1, action: 'promote', measure: 'accuracy', value: 0.6 },
        { round: 2, action: 'promote', measure: 'accuracy', value: 0.6 },
      ],
    });
  });

  it('keeps the old policy for round 2 when round 1 made it worse beyond doubt', async () => {
    const { run, status } = await orchestra.play({
      plan: { ...plan, rounds: 2 },
      difference: (round) => (round === 1 ? LOSS : GAIN),
    });

    const [round1, round2] = run.inputsOf('publishRound').map(({ result }) => result);
    expect(round1?.end_policy).toEqual(round1?.start_policy);
    expect(round2?.start_policy.adapter).toBeNull();
    expect(status.rounds_done.map(({ action }) => action)).toEqual(['keep', 'promote']);
  });

  it('stops after round 1 when a gain has to be beyond doubt and is not', async () => {
    const { run, status } = await orchestra.play({
      plan: { ...plan, rounds: 2, stop_without_gain: true },
      difference: () => ({ value: 0.05, low: -0.01, high: 0.11, n: 40 }),
    });

    expect(run.inputsOf('publishRound')).toHaveLength(1);
    expect(status).toMatchObject({ state: 'completed', round: 1, rounds: 2 });
    expect(status.rounds_done.map(({ action }) => action)).toEqual(['stop']);
    expect(status.message).toContain('finished after 1 round; ');
  });

  it('goes on when nothing was measured, and says that nothing was', async () => {
    const { status } = await orchestra.play({ plan, difference: () => null });

    expect(status.rounds_done).toEqual([
      { round: 1, action: 'promote', measure: 'accuracy', value: null },
    ]);
    expect(status.message).toContain('promoted without a measurement');
  });

  it('tells where it stands while a stage of round 2 runs', async () => {
    const run = orchestra.prepare({ plan: { ...plan, rounds: 2, evaluation_sets: [] } });
    const training = run.hold('trainPreference', { when: ({ round }) => round === 2 });
    const handle = await orchestra.start(run, CONFIG);
    await training.reached();

    await vi.waitFor(async () => {
      expect(await statusOf(handle)).toMatchObject({
        state: 'running',
        round: 2,
        rounds: 2,
        rounds_done: [{ round: 1 }],
        last_result: { kind: 'round_result' },
        stages: [
          { stage: 'ingest', state: 'skipped' },
          { stage: 'preference', state: 'done', done: 1, total: 1, detail: '8 pairs' },
          { stage: 'preference_training', state: 'running', seconds: null },
          { stage: 'infusion', state: 'waiting' },
          { stage: 'infused_training', state: 'waiting' },
          { stage: 'evaluation', state: 'skipped' },
        ],
      });
    }, WAIT);
    training.release();
    await handle.result();
  });

  it('completes without a report that cannot be written, and says so', async () => {
    const run = orchestra.prepare({ plan });
    run.fail('writeReport', 'DataInvalid', 'The table is not there.');
    const handle = await orchestra.start(run, CONFIG);
    await handle.result();

    const status = await statusOf(handle);
    expect(status.state).toBe('completed');
    expect(status.message).toContain('the report was not written: The table is not there.');
  });
});

describe.concurrent('in the web UI', () => {
  it('a run is found by run, round, stage, model and score', async () => {
    const { run, round, stage, model, score } = SEARCH_ATTRIBUTES;
    const fake = orchestra.prepare({ plan: { ...plan, rounds: 2 } });
    const training = fake.hold('trainPreference', { when: (input) => input.round === 2 });
    const handle = await orchestra.start(fake, CONFIG);
    await training.reached();

    await vi.waitFor(async () => {
      expect(await attributesOf(handle)).toMatchObject({
        [run.name]: fake.runId,
        [round.name]: 2,
        [stage.name]: 'preference_training',
        [model.name]: 'fake-vlm',
        [score.name]: 0.6,
      });
    }, WAIT);
    training.release();
    await handle.result();
    expect(await attributesOf(handle)).not.toHaveProperty(stage.name);
  });

  it('the rounds and fan-outs of a run are found by its id', async () => {
    const { handle, run } = await orchestra.play({ plan: { ...plan, evaluation_sets: [] } });

    const round = roundWorkflowId(handle.workflowId, 1);
    await vi.waitFor(async () => {
      const found: string[] = [];
      const query = `${SEARCH_ATTRIBUTES.run.name} = '${run.runId}'`;
      for await (const one of orchestra.client.workflow.list({ query })) found.push(one.workflowId);
      expect(found.toSorted()).toEqual([
        handle.workflowId,
        round,
        shardsWorkflowId(round, 'descriptions'),
        shardsWorkflowId(round, 'preference'),
      ]);
    }, WAIT);
  });

  it('every activity says what it is for', async () => {
    const { handle } = await orchestra.play({ plan: { ...plan, shard_size: 4 } });

    const round = roundWorkflowId(handle.workflowId, 1);
    const workflows = [handle.workflowId, round, shardsWorkflowId(round, 'preference')];
    const summaries: unknown[] = [];
    for (const id of workflows) {
      const history = await historyOf(orchestra.client, id);
      summaries.push(...activitiesOf(history).map(({ summary }) => summary));
    }
    // Stages and evaluations run side by side, so only the set of sentences is certain.
    expect([...new Set(summaries)].toSorted()).toEqual([
      'config',
      'ingest',
      'model · fake-vlm',
      'report · round 1',
      'round 1 · evaluation · base · scenes-qa',
      'round 1 · evaluation · infused_training · scenes-qa',
      'round 1 · evaluation · scenes-qa',
      'round 1 · evaluation · scenes-qa · base to infused_training',
      'round 1 · infused training',
      'round 1 · infusion · collect',
      'round 1 · infusion · instructions',
      'round 1 · preference training',
      'round 1 · preference · collect',
      'round 1 · preference · shard 1/2',
      'round 1 · preference · shard 2/2',
      'round 1 · publish',
    ]);
  });

  it('the current details show the stages while they run and the scores at the end', async () => {
    const run = orchestra.prepare({ plan });
    const training = run.hold('trainPreference');
    const handle = await orchestra.start(run, CONFIG);
    await training.reached();

    await vi.waitFor(async () => {
      const details = await detailsOf(handle);
      expect(details).toContain(`**running** · round 1 of 1 · run \`${run.runId}\``);
      expect(details).toContain('| ▶ preference_training |');
      expect(details).toContain('| ✓ preference | 1/1 |');
    }, WAIT);
    training.release();
    await handle.result();
    const details = await detailsOf(handle);
    expect(details).toContain('**completed**');
    expect(details).toMatch(/\| \[round 1\]\(.*\) \| accuracy 0\.6000 \| promote \|/);
  });
});
