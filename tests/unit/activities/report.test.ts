import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { imagesActivities } from '../../../activities/images.ts';
import { reportActivities } from '../../../activities/report.ts';
import { roundsActivities } from '../../../activities/rounds.ts';
import { measuresOf } from '../../../benchmarks/measures.ts';
import type { ScoredItem } from '../../../contract/measures.ts';
import { RunStatus } from '../../../contract/status.ts';
import { reportFile, runDir, statusFile } from '../../../store/layout.ts';
import { writeLines } from '../../../store/lines.ts';
import { registerSource } from '../../../store/sources.ts';
import { dependencies, folderOfImages, prepared } from './run-workspace.ts';

test('a report is written before the first round, and after one without evaluation', async () => {
  const deps = dependencies();
  const { config, run_id } = await prepared(deps, await folderOfImages(2));
  const { images } = await imagesActivities(deps).ingestImages({ config });
  const status: RunStatus = {
    schema_version: 1,
    run_id,
    state: 'running',
    round: 1,
    rounds: 1,
    stages: [],
    rounds_done: [],
    config,
    last_result: null,
    message: '',
  };
  const { writeReport } = reportActivities(deps);
  expect(await writeReport({ status })).toEqual({ report: 'report.html' });
  const text = await readFile(statusFile(deps.workspace, run_id), 'utf8');
  expect(RunStatus.parse(JSON.parse(text))).toEqual(status);

  const spec = { kind: 'model' as const, inputs: [], parameters: {}, version: 1 };
  const model = await deps.store.build(spec, async () => await Promise.resolve(0));
  const policy = { model, adapter: null };
  const { round_result } = await roundsActivities(deps).publishRound({
    config,
    result: {
      schema_version: 1,
      round: 1,
      start_policy: policy,
      end_policy: policy,
      artifacts: { images },
      counts: {},
      scores: [],
      comparisons: [],
      decision: { action: 'promote', reason: 'no evaluation decides' },
      previous: null,
    },
  });
  await writeReport({ status: { ...status, state: 'completed', last_result: round_result } });
  const page = await readFile(reportFile(deps.workspace, run_id), 'utf8');
  expect(page).toContain('1 round finished');
  expect(page).not.toContain(deps.workspace);
  const copy = await readFile(join(runDir(deps.workspace, run_id), 'round-1.json'), 'utf8');
  expect(JSON.parse(copy)).toMatchObject({ round: 1 });
});

test('a run whose last round was not kept leads with the policy that it ends with', async () => {
  const deps = dependencies();
  const set = 'mine';
  const { config, run_id } = await prepared(deps, await folderOfImages(2), {
    rounds: 2,
    evaluation: { sets: [await exactMatchSet(deps.workspace)], describe_and_respond: 'off' },
    decision: { measure: 'accuracy' },
  });
  const store = deps.store;
  const made = async (kind: 'model' | 'adapter', version: number) =>
    store.build({ kind, inputs: [], parameters: {}, version }, async (folder) => {
      await writeFile(join(folder, 'training.json'), '{"versions": {}}');
      return 0;
    });
  const model = await made('model', 1);
  const base = { model, adapter: null };
  const first = { model, adapter: await made('adapter', 1) };
  const scored = async (...right: number[]) => ({
    set,
    scores: await store.build(
      { kind: 'scores', inputs: [], parameters: { right }, version: 1 },
      async (folder) => {
        const items = right.map((score, index) => answerItem(index, score));
        const scores = { set, benchmark: 'exact_match', measures: measuresOf(items, BOOTSTRAP) };
        const counts = { num_images: 4, num_questions: 4, num_unparsed: 0 };
        await writeFile(join(folder, 'scores.json'), JSON.stringify({ ...scores, ...counts }));
        return await writeLines(join(folder, 'items.jsonl'), items);
      },
    ),
  });
  const [ofBase, ofFirst, ofSecond] = [
    await scored(0, 0, 0, 1),
    await scored(1, 1, 1, 1),
    await scored(0, 0, 1, 1),
  ];
  const { publishRound } = roundsActivities(deps);
  const shared = { schema_version: 1 as const, artifacts: {}, counts: {}, comparisons: [] };
  const { round_result: previous } = await publishRound({
    config,
    result: {
      ...shared,
      round: 1,
      start_policy: base,
      end_policy: first,
      scores: [
        { ...ofBase, policy: 'base' },
        { ...ofFirst, policy: 'preference_training' },
      ],
      decision: { action: 'promote', reason: 'better' },
      previous: null,
    },
  });
  const { round_result } = await publishRound({
    config,
    result: {
      ...shared,
      round: 2,
      start_policy: first,
      end_policy: first,
      scores: [
        { ...ofFirst, policy: 'base' },
        { ...ofSecond, policy: 'preference_training' },
      ],
      decision: { action: 'keep', reason: 'worse' },
      previous,
    },
  });
  await reportActivities(deps).writeReport({
    status: {
      schema_version: 1,
      run_id,
      state: 'completed',
      round: 2,
      rounds: 2,
      stages: [],
      rounds_done: [],
      config,
      last_result: round_result,
      message: '',
    },
  });

  const page = await readFile(reportFile(deps.workspace, run_id), 'utf8');
  const text = page
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll('\u202f', ' ')
    .replaceAll('\u00a0', ' ');
  // A quarter of the base's answers is right, all of the kept policy's, half of the dropped one's.
  expect(text).toContain(
    'Over 2 rounds, accuracy of direct answers on mine rose from 25.0 % to 100.0 %.',
  );
});

const BOOTSTRAP = { num_resamples: 100, seed: 0, benchmark: 'exact_match' };

function answerItem(index: number, score: number): ScoredItem {
  return {
    type: 'answer',
    item_id: `${String(index)}/direct`,
    image_id: String(index).repeat(64),
    mode: 'direct',
    question: 'What is it?',
    question_type: 'what',
    expected: 'ring',
    text: score === 1 ? 'ring' : 'star',
    parsed: score === 1 ? 'ring' : 'star',
    score,
  };
}

async function exactMatchSet(workspace: string) {
  const folder = await folderOfImages(1);
  const questions = join(folder, 'questions.jsonl');
  await writeFile(questions, '');
  return {
    name: 'mine',
    benchmark: 'exact_match' as const,
    questions: await registerSource(workspace, questions),
    image_root: await registerSource(workspace, folder),
  };
}
