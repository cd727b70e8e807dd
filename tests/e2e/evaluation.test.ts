/** `sticflow eval` on the embedded model: whatever dies on the way, the same answers; what is finished is found. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { workerPids } from '../../cli/workers/local.ts';
import { artifactsDir } from '../../store/layout.ts';
import { Workspace } from './workspace.ts';

/** 24 pictures in 6 shards; each is described, asked, and asked again with its description. */
const EVALUATION = [
  ...['eval', '--model', 'builtin:scenes/model', '--benchmarks', 'scenes', '--limit', '24'],
  ...[
    '--set',
    'model.dtype=float32',
    '--set',
    'model.device=cpu',
    '--set',
    'generation.shard_size=4',
  ],
  ...['--set', 'evaluation.max_new_tokens=48', '--set', 'evaluation.num_bootstrap=200'],
];

test('an evaluation that is killed at six points has the answers of an undisturbed one', async () => {
  await using undisturbed = new Workspace();
  const calm = await undisturbed.json(EVALUATION);
  await using disturbed = new Workspace({ STICFLOW_FAULTS: 'generate.block:kill@2' });
  const { run_id } = await disturbed.json([...EVALUATION, '--detach'], 6);
  const runId = String(run_id);

  // A model process dies by itself at its second block; then a worker or the server, five times.
  for (const [kills, victim] of (
    ['gpu', 'server', 'cpu', 'gpu', 'orchestrator'] as const
  ).entries()) {
    await disturbed.until(runId, ({ status }) => {
      const done = status.stages.find(({ stage }) => stage === 'evaluation')?.done ?? 0;
      return done > kills || status.state === 'completed';
    });
    const pid = victim === 'server' ? disturbed.server().pid : workerPids(disturbed.dir)[victim];
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  }
  const shaken = await disturbed.json(['watch', runId]);

  expect(shaken['rounds']).toEqual(calm['rounds']);
  expect(disturbed.hashes()).toEqual(undisturbed.hashes());
  // Every question once a mode, none doubled, none missing.
  const ids = itemIds(disturbed);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toEqual(itemIds(undisturbed));
});

test('asking again attaches, another limit asks anew, and the sides compare only if asked alike', async () => {
  await using workspace = new Workspace();
  const first = await workspace.json(EVALUATION);
  const before = workspace.hashes();

  const again = await workspace.json(EVALUATION);
  expect(again['run_id']).toBe(first['run_id']);
  expect(workspace.hashes()).toEqual(before);

  const own = String(first['run_id']);
  const itself = await workspace.json(['compare', own, own]);
  expect(itself).toMatchObject({
    refused: [],
    sets: [
      {
        set: 'scenes',
        measures: { accuracy: { delta: { value: 0 }, test: { p_value: 1, p_holm: 1 } } },
        counts: { direct: { fixed: 0, broken: 0 } },
      },
    ],
  });

  const fewer = await workspace.json([...EVALUATION, '--set', 'evaluation.sets.0.max_images=12']);
  const refused = await workspace.json(['compare', own, String(fewer['run_id'])], 3);
  expect(refused).toMatchObject({
    sets: [],
    refused: [{ set: 'scenes', reasons: [expect.stringContaining('the questions differ')] }],
  });
});

function itemIds(workspace: Workspace): string[] {
  const scores = join(artifactsDir(workspace.dir), 'scores');
  return readdirSync(scores).flatMap((key) =>
    readFileSync(join(scores, key, 'items.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => idOf(JSON.parse(line))),
  );
}

function idOf(item: unknown): string {
  if (typeof item === 'object' && item !== null && 'item_id' in item) return String(item.item_id);
  throw new Error(`expected an item, got ${JSON.stringify(item)}`);
}
