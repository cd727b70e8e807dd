/** `writeStudy`: what the runs of a study came to, as an artifact and as a page. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { ArtifactRef } from '../contract/artifact.ts';
import { PaperResults } from '../contract/paper-results.ts';
import { FeatureDistance } from '../contract/records.ts';
import {
  type FeaturesResult,
  Overlap,
  ProjectedPoint,
  type StudyPlan,
  StudyResult,
  type StudyRunOutcome,
} from '../contract/study.ts';
import { type StudyActivities, WriteStudyInput } from '../contract/study-activities.ts';
import { renderStudy } from '../report/study.tsx';
import { canonicalJson } from '../store/canonical.ts';
import { paperResultsFile, STUDY_PAGE, studyPageFile, studyResultFile } from '../store/layout.ts';
import { parseJson } from '../store/lines.ts';
import { seedFor } from '../store/random.ts';
import type { Store } from '../store/store.ts';
import { gainsByImage } from '../studies/gains.ts';
import { type ItemsOfRows, measure } from '../studies/measured.ts';
import { collected } from './collected.ts';
import type { ActivityDependencies } from './context.ts';
import { readPlan } from './study.ts';
import { StudyItems } from './study-items.ts';
import { writeWholeFile } from './whole-file.ts';

const STAGE_VERSION = 1;

export function studyResultActivities({
  store,
  workspace,
}: ActivityDependencies): Pick<StudyActivities, 'writeStudy'> {
  return {
    async writeStudy(input) {
      const { plan: ref, outcomes, feature_comparison } = WriteStudyInput.parse(input);
      const plan = await readPlan(store, ref);
      const paper = await readPaper();
      const items = await StudyItems.read(store, plan, outcomes);
      const spec = {
        kind: 'study' as const,
        inputs: [
          ref,
          ...items.results,
          ...(feature_comparison === null ? [] : [feature_comparison]),
        ],
        parameters: { outcomes: outcomes.map(({ state, message }) => ({ state, message })), paper },
        version: STAGE_VERSION,
      };
      const study = await store.build(spec, async (directory) => {
        const document = await resultOf(store, {
          plan,
          paper,
          items,
          outcomes,
          feature_comparison,
        });
        await writeFile(join(directory, 'study.json'), `${canonicalJson(document)}\n`);
        return document.rows.length;
      });
      const result = await store.readJson(study, 'study.json', StudyResult);
      const { request, runs } = plan;
      const page = await renderStudy({ result, request, runs, paper });
      await writeWholeFile(studyResultFile(workspace, plan.study_id), `${canonicalJson(result)}\n`);
      await writeWholeFile(studyPageFile(workspace, plan.study_id), page);
      return { study, page: STUDY_PAGE };
    },
  };
}

async function readPaper(): Promise<PaperResults> {
  const file = paperResultsFile();
  return parseJson(await readFile(file, 'utf8'), PaperResults, file);
}

interface Finished {
  readonly plan: StudyPlan;
  readonly paper: PaperResults;
  readonly items: StudyItems;
  readonly outcomes: readonly StudyRunOutcome[];
  readonly feature_comparison: ArtifactRef | null;
}

async function resultOf(store: Store, finished: Finished): Promise<StudyResult> {
  const { plan, paper, items, outcomes } = finished;
  const { description, base, size, seeds } = plan.request;
  // The first set is the one that decides nothing in a run (config/scenes.yaml).
  const set = base.evaluation.sets[0]?.name ?? '';
  const ofRows: Map<string, Awaited<ReturnType<StudyItems['of']>>> = new Map();
  for (const row of description.rows) ofRows.set(row.name, await items.of({ ...row, set }));
  return {
    schema_version: 1,
    study_id: plan.study_id,
    name: description.name,
    size,
    seeds,
    evaluation_set: set,
    num_images: numImages(ofRows),
    runs: plan.runs.flatMap(({ arm, seed, unavailable }, index) => {
      const outcome = outcomes[index];
      if (outcome === undefined) return [];
      return [{ ...outcome, arm, seed, message: unavailable ?? outcome.message }];
    }),
    ...measure(description, ofRows, paper, bootstrapOf(plan)),
    features: await featuresOf(store, finished),
  };
}

/** One stream of draws for the whole study. */
function bootstrapOf({ request: { base, seeds } }: StudyPlan) {
  const { num_bootstrap: num_resamples } = base.evaluation;
  return { num_resamples, seed: seedFor(seeds[0] ?? 0, 'study') % 2 ** 31 };
}

function numImages(items: ItemsOfRows): number {
  const images = new Set<string>();
  for (const bySeed of items.values()) {
    for (const scored of bySeed.values())
      for (const { image_id } of scored) if (image_id !== null) images.add(image_id);
  }
  return images.size;
}

async function featuresOf(
  store: Store,
  { plan, items, feature_comparison: ref }: Finished,
): Promise<FeaturesResult | null> {
  const { features } = plan.request.description;
  if (features === null || ref === null) return null;
  const { arm, policy, measure: name } = features.gain;
  const sets = [];
  for (const set of features.evaluation_sets) {
    sets.push({
      set,
      from: await items.of({ arm, round: 1, policy: 'base', set }),
      to: await items.of({ arm, round: 1, policy, set }),
    });
  }
  const distances = await collected(store.readLines(ref, 'distances.jsonl', FeatureDistance));
  return {
    overlaps: await store.readJson(ref, 'overlaps.json', z.array(Overlap)),
    points: await collected(store.readLines(ref, 'points.jsonl', ProjectedPoint)),
    ...gainsByImage({ sets, measure: name, distances }, bootstrapOf(plan)),
  };
}
