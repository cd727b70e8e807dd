/** `sticflow eval` on benchmarks as users have them, and on the three ways to name what is measured. */
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { readRun } from '../../cli/run-file.ts';
import { ArtifactRef } from '../../contract/artifact.ts';
import { BenchmarkFigures, ScoredItem } from '../../contract/measures.ts';
import { artifactDir } from '../../store/layout.ts';
import { startJudge } from '../unit/activities/judge-workspace.ts';
import { llavaPlayground, mmbenchTable } from './drawn-benchmarks.ts';
import { Workspace } from './workspace.ts';

const PARQUET = resolve(import.meta.dirname, '../fixtures/parquet/drawn');

/** The same bytes on any machine, and short texts: the embedded model has never seen such questions. */
const EXACTLY = ['dtype=float32', 'device=cpu', 'num_threads=1'].map((knob) => `model.${knob}`);
const SHORT = ['evaluation.max_new_tokens=24', 'evaluation.num_bootstrap=100'];

const Result = z.object({
  run_id: z.string(),
  rounds: z.tuple([
    z.object({
      scores: z.array(
        z.object({
          set: z.string(),
          scores: ArtifactRef,
          figures: z.array(BenchmarkFigures),
        }),
      ),
      artifacts: z.record(z.string(), ArtifactRef),
    }),
  ]),
});
type Result = z.infer<typeof Result>;

let workspace: Workspace;
let folder: string;

beforeAll(async () => {
  workspace = new Workspace();
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sticflow-benchmarks-')));
  await llavaPlayground(join(folder, 'eval'));
  await mmbenchTable(join(folder, 'LMUData'));
});

afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

function overrides(...values: string[]): string[] {
  return values.flatMap((value) => ['--set', value]);
}

async function evaluated(...args: string[]): Promise<Result> {
  return Result.parse(await workspace.json(['eval', ...args]));
}

/** Of one set, in the order of the file. */
function itemsOf(result: Result, set: string): Extract<ScoredItem, { type: 'answer' }>[] {
  const file = join(directoryOf(result, set), 'items.jsonl');
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines
    .map((line) => ScoredItem.parse(JSON.parse(line)))
    .filter((item) => item.type === 'answer');
}

function directoryOf(result: Result, set: string): string {
  const found = result.rounds[0].scores.find((each) => each.set === set);
  if (found === undefined) throw new Error(`no scores of ${set}`);
  return artifactDir(workspace.dir, 'scores', found.scores.key);
}

test('the three forms that users have are asked, answered and scored as their own scorers do it', async () => {
  const data = {
    pope: join(folder, 'eval'),
    scienceqa: join(folder, 'eval'),
    mmbench: join(folder, 'LMUData'),
    chartqa: PARQUET,
  };
  const named = Object.entries(data).map(([name, path]) => `${name}=${path}`);

  const result = await evaluated(
    ...['--model', 'builtin:scenes/model', '--benchmarks', named.join(',')],
    ...overrides(...EXACTLY, ...SHORT),
  );

  const numbers = Object.entries(data).map(([set]) => {
    const items = itemsOf(result, set);
    const images = new Set(items.flatMap(({ image_id }) => image_id ?? []));
    expect(items.every(({ text, score }) => text !== '' && score !== null)).toBe(true);
    return [set, items.filter(({ mode }) => mode === 'direct').length, items.length, images.size];
  });
  // Direct answers, answers with both modes, pictures; MMBench counts its four rows as two questions.
  expect(numbers).toEqual([
    ['pope', 6, 12, 2],
    ['scienceqa', 2, 4, 1],
    ['mmbench', 2, 4, 2],
    ['chartqa', 3, 6, 2],
  ]);
  // A question without a picture is asked as it is, in both modes.
  const legs = itemsOf(result, 'scienceqa').filter(({ image_id }) => image_id === null);
  expect(legs.map(({ description }) => description)).toEqual([null, null]);
  expect(new Set(legs.map(({ prompt }) => prompt)).size).toBe(1);

  // What is written beside is what `sticflow score` reads from the user's own folder.
  for (const { set, figures } of result.rounds[0].scores) {
    for (const { answers_file, official } of figures.filter(({ mode }) => mode === 'dar')) {
      const { metrics, unparsed } = await workspace.json([
        ...['score', set, '--data', scoredFrom(data, set), '--parser', 'official'],
        ...['--answers', join(directoryOf(result, set), answers_file)],
      ]);
      expect(metrics).toMatchObject(z.record(z.string(), z.unknown()).parse(official.metrics));
      expect(unparsed).toBe(official.unparsed);
    }
  }
});

/** `score` takes the benchmark's own folder. */
function scoredFrom(data: Readonly<Record<string, string>>, set: string): string {
  return set === 'pope' || set === 'scienceqa' ? join(data[set] ?? '', set) : (data[set] ?? '');
}

test('a policy of a run and its adapter by its path are one policy, other than the model beneath', async () => {
  const trained = Result.parse(
    await workspace.json([
      ...['run', 'scenes-smoke'],
      ...overrides('rounds=1', 'training_stages=["preference_training"]', 'evaluation.sets=[]'),
      ...overrides('images.max_images=16', 'generation.shard_size=16'),
      // Far enough from the model beneath for other answers.
      ...overrides('preference_training.learning_rate=0.02', 'evaluation.max_new_tokens=24'),
      ...overrides('evaluation.describe_blind=true', 'evaluation.num_bootstrap=100'),
      ...overrides('evaluation.judge.kind=replay', 'evaluation.judge.model=gpt-4-0613'),
    ]),
  );
  const adapter = trained.rounds[0].artifacts['adapter_preference_training'];
  const path = artifactDir(workspace.dir, 'adapter', adapter?.key ?? '');
  const asked = ['--benchmarks', `pope=${join(folder, 'eval')}`, '--dar', 'on', '--limit', '4'];
  const settings = overrides(...EXACTLY, ...SHORT, 'evaluation.describe_blind=true');
  const model = ['--model', 'builtin:scenes/model'];
  const policy = `${trained.run_id}:1:preference_training`;

  const ofRun = await evaluated('--model', policy, ...asked);
  const byPath = await evaluated(...model, '--adapter', path, ...asked, ...settings);
  const beneath = await evaluated(...model, ...asked, ...settings);

  expect(itemsOf(ofRun, 'pope')).toHaveLength(4);
  expect(itemsOf(ofRun, 'pope')).toEqual(itemsOf(byPath, 'pope'));
  expect(itemsOf(ofRun, 'pope')).not.toEqual(itemsOf(beneath, 'pope'));
  // The run described without the image, and so does what is measured with its settings.
  const page = join(folder, 'changes.html');
  const compared = await workspace.json([
    ...['compare', beneath.run_id, ofRun.run_id, '--html', page],
  ]);
  expect(compared).toMatchObject({ page, refused: [], sets: [{ set: 'pope' }] });
  const html = readFileSync(page, 'utf8');
  expect(html).toContain(`<bdi>${ofRun.run_id}</bdi>`);
  expect(html).toContain('<img src="data:image/png;base64,');
  expect(html).not.toContain('image not in this page');

  const settingsOf = async (runId: string) =>
    (await readRun(workspace.dir, runId))?.config.evaluation.judge;
  expect(await settingsOf(ofRun.run_id)).toEqual(await settingsOf(trained.run_id));
  expect(await settingsOf(byPath.run_id)).toBeUndefined();

  const both = await workspace.sticflow('eval', '--model', policy, '--adapter', path, ...asked);
  expect(both.exitCode).toBe(2);
  expect(both.stderr).toContain('has its own adapter');
  const misspelt = await workspace.sticflow('eval', '--model', 'llava-1.5', ...asked);
  expect(misspelt.exitCode).toBe(2);
  expect(misspelt.stderr).toMatch(/checkpoint folder.*got "llava-1\.5".*scenes-smoke-/);
});

test('answers without a judgement have no figure and no comparison, until retry has them judged', async () => {
  // Both modes wait for two reviews of two answers: the first eight requests come to nothing.
  const first = Array.from({ length: 8 }, (_, index) => index + 1);
  const judge = await startJudge({ faults: [{ at: first, does: 'fail', status: 503 }] });
  const asked = ['kind=openai', `base_url=${judge.url}`, 'model=judge-1', 'api_key=null'];
  const patience = ['num_runs=2', 'max_parallel=1', 'max_retries=0', 'max_attempts=1'];

  const partial = await evaluated(
    ...['--model', 'builtin:scenes/model', '--benchmarks', `llavabench=${join(folder, 'eval')}`],
    ...overrides(...EXACTLY, ...SHORT),
    ...overrides(...[...asked, ...patience].map((knob) => `evaluation.judge.${knob}`)),
  );
  const { run_id } = partial;
  expect((await workspace.sticflow('result', run_id)).stdout).toMatch(
    /0\/2 judged.*sticflow retry/su,
  );
  const refused = await workspace.json(['compare', run_id, run_id], 3);
  const judged = Result.parse(await workspace.json(['retry', run_id]));

  const counts = ({ rounds }: Result) =>
    rounds[0].scores.flatMap(({ figures }) =>
      figures.map(({ mode, num_judged, num_items }) => [mode, num_judged, num_items]),
    );
  expect(counts(partial)).toEqual([
    ['direct', 0, 2],
    ['dar', 0, 2],
  ]);
  expect(itemsOf(partial, 'llavabench').map(({ score }) => score)).toEqual([
    null,
    null,
    null,
    null,
  ]);
  expect(refused).toMatchObject({ sets: [], refused: [{ set: 'llavabench' }] });
  expect(JSON.stringify(refused['refused'])).toContain('only 0 of 2 direct answers');
  expect(counts(judged)).toEqual([
    ['direct', 2, 2],
    ['dar', 2, 2],
  ]);
  // The fake judge gives 8 to the reference and 4 to the model, each time.
  expect(judged.rounds[0].scores[0]?.figures[0]?.official.metrics).toMatchObject({
    runs: [{ all: { relative_score: 50 } }, { all: { relative_score: 50 } }],
  });
  // Nothing is left to judge, and nobody is asked.
  const requests = judge.requests().length;
  expect((await workspace.sticflow('retry', run_id)).exitCode).toBe(3);
  expect(judge.requests()).toHaveLength(requests);
});

test('a checkpoint judges on the GPU queue; what it says and nobody can read is no figure', async () => {
  // The embedded model has never heard of grades.
  const result = await evaluated(
    ...['--model', 'builtin:scenes/model', '--benchmarks', `llavabench=${join(folder, 'eval')}`],
    ...['--dar', 'off'],
    ...overrides(...EXACTLY, ...SHORT, 'evaluation.judge.kind=policy'),
    ...overrides('evaluation.judge.checkpoint=builtin:scenes/model'),
  );

  const [scores] = result.rounds[0].scores;
  expect(scores?.figures).toMatchObject([{ mode: 'direct', num_judged: 0, num_items: 2 }]);
  expect(itemsOf(result, 'llavabench').map(({ score }) => score)).toEqual([null, null]);
});
