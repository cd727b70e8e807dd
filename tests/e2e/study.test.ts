/** A study on the embedded model: killed whole in the middle, the same command goes on and ends with the same bytes. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { workerPids } from '../../cli/workers/local.ts';
import { artifactsDir } from '../../store/layout.ts';
import { Workspace } from './workspace.ts';

/** Two arms that write the same descriptions and learn from them in two ways. */
const DESCRIPTION = `
name: smoke
title: Two ways of learning
question: Does anything go wrong?
sizes:
  quick: { base: scenes-smoke, seeds: [0], set: { rounds: 1, training_stages: [preference_training] } }
arms:
  - { name: stic, title: STIC }
  - { name: dpo, title: DPO, set: { strategy: dpo }, after: stic }
measures: [accuracy]
rows:
  - { name: stic, title: STIC, arm: stic, policy: preference_training }
  - { name: dpo, title: DPO, arm: dpo, policy: preference_training }
claims:
  - name: differs
    text: STIC answers better.
    from: { row: dpo, measure: accuracy }
    to: { row: stic, measure: accuracy }
    expected: higher
`;

const SMALL = ['images.max_images=12', 'preference.images_per_round=8'];
const SHORT = [
  'generation.max_new_tokens=24',
  'evaluation.max_new_tokens=24',
  'preference.degenerate.drop_cut=false',
];

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sticflow-study-'));
  writeFileSync(join(folder, 'smoke.yaml'), DESCRIPTION);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function study(): string[] {
  const overrides = [...SMALL, ...SHORT, 'evaluation.sets.0.max_images=4'];
  return [
    'study',
    join(folder, 'smoke.yaml'),
    '--quick',
    ...overrides.flatMap((one) => ['--set', one]),
  ];
}

const WAIT = { timeout: 150_000, interval: 100 };

test('a study of which the command, the workers and the server are killed goes on with the same command', async () => {
  await using undisturbed = new Workspace();
  await using disturbed = new Workspace();
  const calm = await undisturbed.json(study());

  const command = disturbed.begin(...study(), '--json');
  const adapters = join(artifactsDir(disturbed.dir), 'adapter');
  await vi.waitUntil(() => existsSync(adapters) && readdirSync(adapters).length > 0, WAIT);
  for (const pid of [
    command.pid,
    ...Object.values(workerPids(disturbed.dir)),
    disturbed.server().pid,
  ]) {
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  }
  expect((await command).signal).toBe('SIGKILL');

  const shaken = await disturbed.json(study());

  expect(shaken['study_id']).toBe(calm['study_id']);
  expect(shaken['rows']).toEqual(calm['rows']);
  expect(shaken['claims']).toEqual(calm['claims']);
  expect(disturbed.hashes()).toEqual(undisturbed.hashes());
});
