import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { imagesActivities } from '../../../activities/images.ts';
import { reportActivities } from '../../../activities/report.ts';
import { roundsActivities } from '../../../activities/rounds.ts';
import { RunStatus } from '../../../contract/status.ts';
import { reportFile, runDir, statusFile } from '../../../store/layout.ts';
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
