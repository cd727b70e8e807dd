/** What a person does to a run from the command line while it is under way. */
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { processesWith, Workspace } from './workspace.ts';

const ONE_ROUND = ['scenes-smoke', '--set', 'rounds=1'];
/** Long enough to be cancelled in the middle, with a checkpoint after every step. */
const LONG_TRAINING = [...ONE_ROUND, '--set', 'preference_training.num_epochs=60'];
/** What DESIGN.md promises between a cancellation and its end. */
const CANCELLED_WITHIN_MS = 30_000;

test('a run is started, watched, paused, resumed, finished and found again', async () => {
  await using workspace = new Workspace();

  const runId = await workspace.start(...ONE_ROUND);
  const attached = await workspace.start(...ONE_ROUND);
  expect(attached).toBe(runId);

  await workspace.json(['pause', runId]);
  const paused = await workspace.until(
    runId,
    ({ status, activities }) => status.state === 'paused' && activities.length === 0,
  );
  expect(paused.status.state).toBe('paused');
  expect((await workspace.sticflow('pause', runId)).exitCode).toBe(3);

  await workspace.json(['resume', runId]);
  const result = await workspace.json(['watch', runId]);
  expect(result['run_id']).toBe(runId);

  expect(await workspace.json(['status', runId])).toMatchObject({ state: 'completed' });
  expect((await workspace.sticflow('runs')).stdout).toContain(runId);
  const { report } = await workspace.json(['report', runId]);
  expect(existsSync(String(report))).toBe(true);

  const again = await workspace.sticflow('run', ...ONE_ROUND);
  expect(again.exitCode).toBe(0);
  expect(again.stderr + again.stdout).toContain('is completed already');
});

test('a run cancelled in mid-training is over within 30 s and goes on from the checkpoint', async () => {
  await using undisturbed = new Workspace();
  await undisturbed.json(['run', ...LONG_TRAINING]);

  await using workspace = new Workspace();
  const runId = await workspace.start(...LONG_TRAINING);
  await workspace.until(runId, ({ activities }) =>
    activities.some(({ heartbeat }) => (heartbeat?.checkpoint_step ?? 0) > 5),
  );
  const asked = performance.now();
  await workspace.json(['cancel', runId]);
  const watched = await workspace.sticflow('watch', runId);

  expect(performance.now() - asked).toBeLessThan(CANCELLED_WITHIN_MS);
  expect(watched.exitCode).toBe(5);
  expect(await workspace.json(['status', runId])).toMatchObject({ state: 'cancelled' });

  await workspace.json(['retry', runId]);
  expect(workspace.hashes()).toEqual(undisturbed.hashes());
});

test('stopping everything leaves no process behind', async () => {
  const workspace = new Workspace();
  {
    await using _ = workspace;
    const runId = await workspace.start(...ONE_ROUND);
    await workspace.until(runId, ({ activities }) => activities.length > 0);
    expect(processesWith(workspace.dir).length).toBeGreaterThan(2);
  }

  expect(processesWith(workspace.dir)).toEqual([]);
});
