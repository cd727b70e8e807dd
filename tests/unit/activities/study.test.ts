/** From a request to runs, from distances to images, from scores to an artifact and a page. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ActivityDependencies } from '../../../activities/context.ts';
import { featuresActivities } from '../../../activities/features.ts';
import { studyActivities } from '../../../activities/study.ts';
import { studyResultActivities } from '../../../activities/study-result.ts';
import { loadStudy, requestOf } from '../../../cli/study/load.ts';
import type { ArtifactRef } from '../../../contract/artifact.ts';
import type { ScoredItem } from '../../../contract/measures.ts';
import type { EvaluatedPolicy } from '../../../contract/status.ts';
import { type StudyRequest, StudyResult } from '../../../contract/study.ts';
import { canonicalJson } from '../../../store/canonical.ts';
import { studyPageFile } from '../../../store/layout.ts';
import { writeLines } from '../../../store/lines.ts';
import { registerSource, resolveSource } from '../../../store/sources.ts';
import { dependencies } from './run-workspace.ts';

async function requested(
  deps: ActivityDependencies,
  name: string,
  change: (request: StudyRequest) => StudyRequest = (request) => request,
) {
  const options = { size: 'quick', base: null, seeds: null, overrides: [] } as const;
  const request = await requestOf(await loadStudy(name), { ...options, workspace: deps.workspace });
  const file = join(deps.workspace, 'request.json');
  writeFileSync(file, canonicalJson(change(request)));
  const source = await registerSource(deps.workspace, file);
  return await studyActivities(deps).prepareStudy({ request: source });
}

const HEX = (digit: string) => digit.repeat(64);

describe('the plan of a study', () => {
  it('is found again, run by run, by reference', async () => {
    const deps = dependencies();
    const { plan, runs, study_id } = await requested(deps, 'corruptions');
    const { config, run_id } = await studyActivities(deps).studyRun({ plan, run: 5, images: null });

    expect(study_id).toMatch(/^corruptions-quick-[0-9a-f]{10}$/);
    expect(runs[5]).toMatchObject({ arm: 'bad-prompt', seed: 1, available: true });
    expect(config).toMatchObject({ seed: 1, preference: { bad_prompt_ratio: 1 } });
    expect(run_id).toMatch(/^scenes-quick-[0-9a-f]{10}$/);
  });

  it('without an evaluation set is refused before anything runs', async () => {
    const refused = requested(dependencies(), 'table2', (request) => ({
      ...request,
      base: { ...request.base, evaluation: { ...request.base.evaluation, sets: [] } },
    }));

    await expect(refused).rejects.toMatchObject({
      code: 'ConfigInvalid',
      message: expect.stringContaining('nothing would be measured') as unknown,
    });
  });

  it('of more runs than a message can name is refused', async () => {
    const seeds = Array.from({ length: 20 }, (_, seed) => seed);
    const refused = requested(dependencies(), 'corruptions', (request) => ({ ...request, seeds }));

    await expect(refused).rejects.toMatchObject({
      code: 'ConfigInvalid',
      message: expect.stringContaining('got 4 arms times 20 seeds') as unknown,
    });
  });
});

describe('the images of an arm that selects its own', () => {
  it('are the nearest ones, under an id that only this workspace knows', async () => {
    const deps = dependencies();
    const { plan, runs } = await requested(deps, 'curation', (request) => ({
      ...request,
      description: {
        ...request.description,
        arms: request.description.arms.map((arm) => ({
          ...arm,
          nearest_images: arm.nearest_images && { ...arm.nearest_images, count: { quick: 2 } },
        })),
      },
    }));
    const ids = ['1', '2', '3'].map(HEX);
    const images = await deps.store.build(
      { kind: 'images', inputs: [], parameters: {}, version: 1 },
      async (directory) => {
        mkdirSync(join(directory, 'files'));
        for (const id of ids) writeFileSync(join(directory, 'files', `${id}.png`), id);
        return await Promise.resolve(3);
      },
    );
    const distances = [3, 1, 2].map((distance, place) => ({
      set: 'unlabelled',
      image_id: ids[place],
      distance,
    }));
    const feature_comparison = await deps.store.build(
      { kind: 'feature_comparison', inputs: [], parameters: {}, version: 1 },
      async (directory) => await writeLines(join(directory, 'distances.jsonl'), distances),
    );
    const select = async (arm: string) => {
      const run = runs.findIndex((one) => one.arm === arm);
      const selected = await featuresActivities(deps).selectImages({
        plan,
        run,
        images,
        feature_comparison,
      });
      const { config } = await studyActivities(deps).studyRun({ plan, run, ...selected });
      expect(config.images).toMatchObject({ source: selected.images, max_images: null });
      return (await readdir(await resolveSource(deps.workspace, selected.images))).sort();
    };

    expect(await select('nearest')).toEqual([`${HEX('2')}.png`, `${HEX('3')}.png`]);
    expect(await select('farthest')).toEqual([`${HEX('1')}.png`, `${HEX('3')}.png`]);
  });
});

describe('the result of a study', () => {
  it('is read from the scores of its runs; what failed stands in it and on the page', async () => {
    const deps = dependencies();
    const { plan, study_id } = await requested(deps, 'table2');
    const last = await roundResult(deps, { base: 0, infused_training: 1 });
    const outcomes = [
      { state: 'completed', run_id: 'a-run', last_result: last.key, message: '' },
      { state: 'failed', run_id: 'b-run', last_result: null, message: 'The disk is full.' },
    ] as const;
    const input = { plan, outcomes: [...outcomes], feature_comparison: null };
    const { study } = await studyResultActivities(deps).writeStudy(input);
    const again = await studyResultActivities(deps).writeStudy(input);

    expect(again.study).toEqual(study);
    const result = await deps.store.readJson(study, 'study.json', StudyResult);
    const accuracy = result.rows.map(({ name, measures }) => [name, measures['accuracy']?.value]);
    expect(accuracy).toEqual([
      ['base', 0],
      ['stage1', undefined],
      ['stage2', 1],
    ]);
    const claim = result.claims.find(({ name }) => name === 'stic-direct');
    // Clear on its images, but of one seed.
    expect(claim).toMatchObject({ verdict: 'undecided', num_seeds: 1, paper_delta: 2.8 });
    expect(claim?.delta?.value).toBe(1);
    const page = await readFile(studyPageFile(deps.workspace, study_id), 'utf8');
    expect(page).toContain('The disk is full.');
  });
});

/** One round whose policies answer their one question right (1) or wrong (0). */
async function roundResult(
  { store }: ActivityDependencies,
  scores: Partial<Record<EvaluatedPolicy, number>>,
): Promise<ArtifactRef> {
  const made = [];
  for (const [policy, score] of Object.entries(scores)) {
    const item: ScoredItem = {
      type: 'answer',
      item_id: 'q/direct',
      image_id: HEX('a'),
      mode: 'direct',
      question: 'How many?',
      question_type: 'count',
      expected: '1',
      text: '1',
      parsed: '1',
      score,
    };
    const ref = await store.build(
      { kind: 'scores', inputs: [], parameters: { policy }, version: 1 },
      async (directory) => await writeLines(join(directory, 'items.jsonl'), [item]),
    );
    made.push({ set: 'test', policy, scores: ref, headline: {} });
  }
  const model = { kind: 'model', key: '0'.repeat(32), sha256: HEX('0'), num_records: 0 };
  const document = {
    schema_version: 1,
    round: 1,
    start_policy: { model, adapter: null },
    end_policy: { model, adapter: null },
    artifacts: {},
    counts: {},
    scores: made,
    comparisons: [],
    decision: { action: 'promote', reason: 'no set decides' },
    previous: null,
  };
  return await store.build(
    { kind: 'round_result', inputs: [], parameters: {}, version: 1 },
    async (directory) => {
      writeFileSync(join(directory, 'round_result.json'), canonicalJson(document));
      return await Promise.resolve(0);
    },
  );
}
