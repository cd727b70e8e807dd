/** Whatever dies on the way, a run ends with the bytes of an undisturbed one. */
import { beforeAll, expect, test, vi } from 'vitest';
import { workerPids } from '../../cli/workers/local.ts';
import { Workspace } from './workspace.ts';

/** With trainings of several seconds, so that each stage can be seen at work. */
const ONE_ROUND = [
  'scenes-smoke',
  ...['rounds=1', 'preference_training.num_epochs=8', 'infused_training.num_epochs=12'].flatMap(
    (override) => ['--set', override],
  ),
];
/** A piece of model work of every stage: the workflow below the run that asks for it, and its activity. */
const MODEL_WORK = [
  ['round-1/preference', 'generateShard'],
  ['round-1', 'trainPreference'],
  ['round-1/descriptions', 'generateShard'],
  ['round-1', 'trainInfused'],
  ['round-1/evaluation/infused_training/test/dar_answers', 'generateShard'],
] as const;

let undisturbed: Record<string, string>;

beforeAll(async () => {
  await using workspace = new Workspace();
  await workspace.json(['run', ...ONE_ROUND]);
  undisturbed = workspace.hashes();
});

test('the same config makes the same bytes in another workspace', async () => {
  await using workspace = new Workspace();

  await workspace.json(['run', ...ONE_ROUND]);

  expect(workspace.hashes()).toEqual(undisturbed);
});

test('a model process that is killed in every piece of work changes no byte', async () => {
  const faults = ['generate.block', 'train_preference.step', 'train_infused.step'];
  await using workspace = new Workspace({
    STICFLOW_FAULTS: faults.map((point) => `${point}:kill@1`).join(','),
  });

  await workspace.json(['run', ...ONE_ROUND]);

  expect(workspace.hashes()).toEqual(undisturbed);
});

test('a GPU worker that is killed in each stage changes no byte', async () => {
  await using workspace = new Workspace();
  const runId = await workspace.start(...ONE_ROUND);

  let killed: number | undefined;
  for (const [below, activity] of MODEL_WORK) {
    const worker = await otherGpuWorker(workspace, killed);
    await workspace.untilStarted(runId, below, activity);
    kill(worker);
    killed = worker;
  }
  await workspace.json(['watch', runId]);

  expect(workspace.hashes()).toEqual(undisturbed);
});

test('a server that is killed in each stage changes no byte', async () => {
  await using workspace = new Workspace();
  const runId = await workspace.start(...ONE_ROUND);

  for (const [below, activity] of MODEL_WORK) {
    await workspace.untilStarted(runId, below, activity);
    kill(workspace.server().pid);
  }
  await workspace.json(['watch', runId]);

  expect(workspace.hashes()).toEqual(undisturbed);
});

test('the other workers may be killed too', async () => {
  await using workspace = new Workspace();
  const runId = await workspace.start(...ONE_ROUND);

  await workspace.untilStarted(runId, 'round-1/preference', 'generateShard');
  kill(workerPids(workspace.dir)['cpu']);
  await workspace.untilStarted(runId, 'round-1/descriptions', 'generateShard');
  kill(workerPids(workspace.dir)['orchestrator']);
  await workspace.json(['watch', runId]);

  expect(workspace.hashes()).toEqual(undisturbed);
});

/** The GPU worker's process id, once it is not the one that was killed. */
async function otherGpuWorker({ dir }: Workspace, killed: number | undefined): Promise<number> {
  return await vi.waitUntil(
    () => {
      const { gpu } = workerPids(dir);
      return gpu !== undefined && gpu !== killed && gpu;
    },
    { timeout: 60_000 },
  );
}

function kill(pid: number | undefined): void {
  if (pid === undefined) throw new Error('expected a process to kill');
  process.kill(pid, 'SIGKILL');
}
