/**
 * `prepareEvaluationSet`: questions of a benchmark with their images, decoded once; with the truth of
 * scenes, or with all that an official benchmark is scored by.
 */
import { join } from 'node:path';
import { z } from 'zod';
import type { BenchmarkLoader } from '../benchmarks/loader.ts';
import { LOADERS } from '../benchmarks/loaders.ts';
import {
  type Activities,
  PrepareEvaluationSetInput,
  type PrepareEvaluationSetOutput,
} from '../contract/activities.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import {
  type EvaluationSetConfig,
  isOfficialBenchmark,
  type OfficialBenchmark,
} from '../contract/config-evaluation.ts';
import { QuestionRecord, SceneTruth } from '../contract/records.ts';
import { canonicalJson, sha256Hex } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import { readLines, writeLines } from '../store/lines.ts';
import { seedFor, shuffledOrder } from '../store/random.ts';
import { resolveSource } from '../store/sources.ts';
import { collected } from './collected.ts';
import type { ActivityDependencies } from './context.ts';
import { buildImageArtifact } from './image-artifact.ts';
import { imageIdsByName } from './image-intake.ts';
import { listNames } from './image-sources.ts';
import { prepareOfficialSet, refuseRepeatedIds } from './official-set.ts';
import { readRunConfig } from './prepare-run.ts';

/** 2: with the difference hash of every image. */
const STAGE_VERSION = 2;

/** As a person writes them: `image` is a name below `image_root`. */
const QuestionLine = QuestionRecord.pick({
  question_id: true,
  question: true,
  answer: true,
  question_type: true,
}).extend({ image: z.string() });
const TruthLine = SceneTruth.omit({ image_id: true }).extend({ image: z.string() });

export type Loaders = Readonly<Partial<Record<OfficialBenchmark, BenchmarkLoader>>>;
type Prepared = z.infer<typeof PrepareEvaluationSetOutput>;

/** `loaders`: of the official benchmarks; tests bring their own. */
export function evaluationSetActivities(
  deps: ActivityDependencies,
  loaders: Loaders = LOADERS,
): Pick<Activities, 'prepareEvaluationSet'> {
  return {
    async prepareEvaluationSet(input) {
      const { config: ref, set: name } = PrepareEvaluationSetInput.parse(input);
      const { config } = await readRunConfig(deps.store, ref);
      const set = config.evaluation.sets.find((candidate) => candidate.name === name);
      if (set === undefined) throw unknownSet(name);
      return isOfficialBenchmark(set.benchmark)
        ? await prepareOfficialSet(deps, config, {
            set,
            benchmark: set.benchmark,
            load: loaders[set.benchmark],
          })
        : await prepareOwnSet(deps, config, set);
    },
  };
}

async function prepareOwnSet(
  deps: ActivityDependencies,
  config: ExperimentConfig,
  set: EvaluationSetConfig,
): Promise<Prepared> {
  const { name, benchmark } = set;
  const root = await resolveSource(deps.workspace, required(set, 'image_root'));
  const lines = await collected(
    readLines(await resolveSource(deps.workspace, required(set, 'questions')), QuestionLine),
  );
  refuseRepeatedIds(name, lines);
  const questions = lines.map((line) => withSuffix(line, set.question_suffix));
  const truth =
    set.truth === null
      ? []
      : await collected(readLines(await resolveSource(deps.workspace, set.truth), TruthLine));
  const names = drawnNames(questions, set.max_images, seedFor(config.seed, 'evaluation', name));
  const { ref: evaluation_set, counts } = await buildImageArtifact(deps, {
    kind: 'evaluation_set',
    version: STAGE_VERSION,
    what: `images of the evaluation set ${name}`,
    listing: await listNames(root, names),
    images: config.images,
    parameters: { benchmark, content: sha256Hex(canonicalJson([questions, truth])) },
    write: async (directory, intake) => {
      const ids = imageIdsByName(intake);
      await writeLines(join(directory, 'questions.jsonl'), withImageIds(questions, ids));
      await writeLines(join(directory, 'truth.jsonl'), withImageIds(truth, ids));
      return intake.images.length;
    },
  });
  // Of a drawn subset, and of images that decode, only some questions are left.
  const kept = deps.store.readLines(evaluation_set, 'questions.jsonl', QuestionRecord);
  return { evaluation_set, counts: { ...counts, questions: (await collected(kept)).length } };
}

function* withImageIds<R extends { readonly image: string }>(
  records: readonly R[],
  ids: ReadonlyMap<string, string>,
): Generator<Omit<R, 'image'> & { image_id: string }> {
  for (const { image, ...record } of records) {
    const image_id = ids.get(image);
    if (image_id !== undefined) yield { ...record, image_id };
  }
}

function drawnNames(
  questions: readonly { readonly image: string }[],
  limit: number | null,
  seed: number,
): string[] {
  const names = [...new Set(questions.map(({ image }) => image))].sort();
  if (limit === null || names.length <= limit) return names;
  const chosen = new Set(shuffledOrder(seed, names.length).slice(0, limit));
  return names.filter((_, index) => chosen.has(index));
}

/** The question as it is asked in every mode. */
function withSuffix<R extends { readonly question: string }>(line: R, suffix: string): R {
  return suffix === ''
    ? line
    : {
        ...line,
        question: `${line.question}
${suffix}`,
      };
}

function required(set: EvaluationSetConfig, key: 'questions' | 'image_root'): string {
  const source = set[key];
  if (source !== undefined) return source;
  throw new SticflowError(
    'ConfigInvalid',
    `Expected ${key} in the evaluation set ${set.name}, there is none.`,
  );
}

function unknownSet(name: string): SticflowError {
  return new SticflowError(
    'ConfigInvalid',
    `Expected evaluation.sets to have a set named "${name}", it has none.`,
  );
}
