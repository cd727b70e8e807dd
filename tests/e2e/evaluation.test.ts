/** `sticflow eval` on the embedded model: whatever dies on the way, the same answers; what is finished is found. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { workerPids } from '../../cli/workers/local.ts';
import { artifactsDir } from '../../store/layout.ts';
import { uniform } from '../../store/random.ts';
import { llavaPlayground } from './drawn-benchmarks.ts';
import { Workspace } from './workspace.ts';

/** `npm run chaos:evaluation` has more kills, another seed has others. */
const NUM_KILLS = Number(process.env['STICFLOW_EVALUATION_KILLS'] ?? 4);
const SEED = Number(process.env['STICFLOW_EVALUATION_SEED'] ?? 0);

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sticflow-killed-'));
  await llavaPlayground(join(folder, 'eval'));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

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

test(`an evaluation that is killed at ${String(NUM_KILLS)} random moments has the answers of an undisturbed one`, {
  timeout: 200_000 + 40_000 * NUM_KILLS,
}, async () => {
  await using undisturbed = new Workspace();
  const asked = [...EVALUATION, '--benchmarks', `pope=${join(folder, 'eval')}`];
  const calm = await undisturbed.json(asked);
  // A model process dies by itself too, each time that it comes to this block of texts.
  const block = 2 + Math.floor(4 * uniform(SEED, 'block'));
  await using disturbed = new Workspace({
    STICFLOW_FAULTS: `generate.block:kill@${String(block)}`,
  });
  const { run_id } = await disturbed.json([...asked, '--detach'], 6);
  const runId = String(run_id);

  const killed: string[] = [];
  for (const { progress, pause_ms, victim } of drawnKills()) {
    const { status } = await disturbed.until(runId, ({ status: { stages, state } }) => {
      const { done = 0, total = 0 } = stages.find(({ stage }) => stage === 'evaluation') ?? {};
      return (total > 0 && done >= progress * total) || state === 'completed';
    });
    if (status.state === 'completed') break;
    // Not for anything to happen: somewhere within what happens next.
    await wait(pause_ms);
    const pid = pidOf(disturbed, victim);
    if (pid !== undefined && wasKilled(pid)) killed.push(victim);
  }
  const shaken = await disturbed.json(['watch', runId]);

  expect(killed).not.toEqual([]);
  expect(shaken['rounds']).toEqual(calm['rounds']);
  // Of the scores it is the answers file, and every item, by their bytes.
  expect(disturbed.hashes()).toEqual(undisturbed.hashes());
  for (const set of ['scenes', 'pope']) {
    // Every question once a mode, none doubled, none missing.
    const ids = itemIds(disturbed, set);
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(itemIds(undisturbed, set));
  }
});

const VICTIMS = ['gpu', 'cpu', 'orchestrator', 'server', 'model process'] as const;
type Victim = (typeof VICTIMS)[number];

interface Kill {
  /** Share of the shards that are done when the moment is near. */
  readonly progress: number;
  readonly pause_ms: number;
  readonly victim: Victim;
}

/** Kills of one seed, in the order of the work. */
function drawnKills(): Kill[] {
  const draws = Array.from({ length: NUM_KILLS }, (_, kill): Kill => {
    const place = Math.floor(VICTIMS.length * uniform(SEED, kill, 'victim'));
    return {
      progress: 0.9 * uniform(SEED, kill, 'progress'),
      pause_ms: Math.floor(1500 * uniform(SEED, kill, 'pause')),
      victim: VICTIMS[place] ?? 'gpu',
    };
  });
  return draws.sort((a, b) => a.progress - b.progress);
}

/** undefined while it is being started again. */
function pidOf(workspace: Workspace, victim: Victim): number | undefined {
  if (victim === 'server') return workspace.server().pid;
  const workers = workerPids(workspace.dir);
  if (victim !== 'model process') return workers[victim];
  const gpu = String(workers['gpu'] ?? 0);
  try {
    const children = readFileSync(`/proc/${gpu}/task/${gpu}/children`, 'utf8').trim();
    return children === '' ? undefined : Number(children.split(' ')[0]);
  } catch {
    return undefined; // the worker itself is gone
  }
}

/** False where it had gone by itself in the meantime. */
function wasKilled(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL');
  } catch {
    return false;
  }
}

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

function itemIds(workspace: Workspace, set: string): string[] {
  const scores = join(artifactsDir(workspace.dir), 'scores');
  const ofSet = readdirSync(scores).filter((key) =>
    readFileSync(join(scores, key, 'scores.json'), 'utf8').includes(`"set":"${set}"`),
  );
  return ofSet.flatMap((key) =>
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
