/** A small benchmark prepared, asked and answered; the texts are published as a model process would leave them. */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import type { ActivityDependencies } from '../../../activities/context.ts';
import { evaluationSetActivities } from '../../../activities/evaluation-set.ts';
import { generationsSpec } from '../../../activities/generation.ts';
import { judgeActivities } from '../../../activities/judge.ts';
import { readRunConfig } from '../../../activities/prepare-run.ts';
import { sharp } from '../../../activities/safe-sharp.ts';
import { scoringActivities } from '../../../activities/scoring.ts';
import { shardsActivities } from '../../../activities/shards.ts';
import { LOADERS } from '../../../benchmarks/loaders.ts';
import type {
  Activities,
  PrepareEvaluationSetOutput,
  ShardSet,
} from '../../../contract/activities.ts';
import type { ArtifactRef } from '../../../contract/artifact.ts';
import type { OfficialBenchmark } from '../../../contract/config-evaluation.ts';
import { type JudgeConfig, OpenaiJudge } from '../../../contract/config-judge.ts';
import { type AnswerMode, ScoredItem, Scores } from '../../../contract/measures.ts';
import { GenerationRequest } from '../../../contract/records.ts';
import { registerEndpoint } from '../../../store/endpoints.ts';
import { writeLines } from '../../../store/lines.ts';
import { registerSource } from '../../../store/sources.ts';
import { dependencies, prepared } from './run-workspace.ts';
import { PICTURES, SMALL_LOADERS } from './small-loaders.ts';

interface Knobs {
  readonly set?: { readonly max_questions?: number; readonly max_images?: number };
  readonly describe_and_respond?: 'on' | 'off' | 'both';
  readonly describe_blind?: true;
  /** Grades that a judge gave, by question: written down and replayed. */
  readonly grades?: Readonly<Record<string, number>>;
  /** Who gave the grades. @default gpt-4-0613 */
  readonly gradedBy?: string;
  readonly image_backend?: 'pil' | 'torchvision';
  readonly max_new_tokens?: number;
  /** `evaluation.judge`, whose server the workspace knows. */
  readonly judge?: OpenaiJudgeInput;
  /** In place of the small made-up benchmarks: what lies in a folder, by the real loaders. */
  readonly layout?: string;
}

/** As a person writes it. */
export type OpenaiJudgeInput = Extract<z.input<typeof JudgeConfig>, { kind: 'openai' }>;

export interface PreparedBenchmark {
  readonly deps: ActivityDependencies;
  readonly config: ArtifactRef;
  /** The user's files. */
  readonly folder: string;
  readonly prepared: z.infer<typeof PrepareEvaluationSetOutput>;
}

export async function preparedBenchmark(
  benchmark: OfficialBenchmark,
  {
    set = {},
    describe_and_respond = 'both',
    grades,
    gradedBy = 'gpt-4-0613',
    image_backend = 'pil',
    judge,
    layout,
    ...knobs
  }: Knobs = {},
): Promise<PreparedBenchmark> {
  const deps = dependencies();
  const folder = layout ?? (await userFolder());
  if (judge !== undefined) await registerEndpoint(deps.workspace, OpenaiJudge.parse(judge));
  const data = await registerSource(deps.workspace, folder);
  const { config } = await prepared(deps, folder, {
    model: { source: 'builtin:scenes/model', image_backend },
    evaluation: {
      sets: [{ name: benchmark, benchmark, data, ...set }],
      describe_and_respond,
      num_bootstrap: 200,
      ...(grades === undefined
        ? {}
        : { judge: await recordedJudge(deps.workspace, grades, gradedBy) }),
      ...(judge === undefined ? {} : { judge }),
      ...knobs,
    },
  });
  const loaders = layout === undefined ? SMALL_LOADERS : LOADERS;
  const { prepareEvaluationSet } = evaluationSetActivities(deps, loaders);
  const output = await prepareEvaluationSet({ config, set: benchmark });
  return { deps, config, folder, prepared: output };
}

interface Scored {
  readonly scores: Scores;
  readonly items: readonly Extract<ScoredItem, { type: 'answer' }>[];
  readonly ref: ArtifactRef;
  /** What the policy was asked, by id. */
  readonly requests: ReadonlyMap<string, GenerationRequest>;
}

interface Circumstances {
  readonly training_images?: ArtifactRef[];
  /** On top of the model. @default null */
  readonly adapter?: ArtifactRef | null;
  /** Hash of the chat template, as the model process tells it. */
  readonly template?: string;
  /** Hash of the image processor's settings. */
  readonly processor?: string | null;
}

/** Answers everything with `textOf(request id)` in two shards, and scores it. */
export async function scored(
  { deps, config, prepared: { evaluation_set, counts } }: PreparedBenchmark,
  textOf: (requestId: string) => string,
  {
    training_images = [],
    template = 'a template',
    processor = null,
    adapter = null,
  }: Circumstances = {},
): Promise<Scored> {
  const { config: run } = await readRunConfig(deps.store, config);
  const policy = { model: await modelOf(deps, processor), adapter };
  const num_items = (counts['images'] ?? 0) + (counts['text_questions'] ?? 0);
  const shared = { config, round: 1, policy, source: evaluation_set, num_items, num_shards: 2 };
  const requests = new Map<string, GenerationRequest>();
  const ask = async (task: 'answers' | 'dar_answers'): Promise<ShardSet> => {
    const shards: ShardSet = { ...shared, task };
    for (const shard of [0, 1]) {
      const { requests: ref } = await shardsActivities(deps).prepareShard({ shards, shard });
      const rows: GenerationRequest[] = [];
      for await (const row of deps.store.readLines(ref, 'requests.jsonl', GenerationRequest)) {
        rows.push(row);
        requests.set(row.request_id, row);
      }
      await answer(deps, generationsSpec(shards, ref, run), rows, { textOf, template });
    }
    return shards;
  };
  const answers = await ask('answers');
  const dar_answers =
    run.evaluation.describe_and_respond === 'off' ? null : await ask('dar_answers');
  const [set] = run.evaluation.sets;
  const asked = { set: set?.name ?? '', answers, dar_answers, training_images };
  const { scoreAnswers } = scoringActivities(deps);
  const unjudged = await scoreAnswers(asked);
  const judgements = await judge(deps, { config, data: evaluation_set }, unjudged);
  const { scores: ref } =
    judgements.length === 0 ? unjudged : await scoreAnswers({ ...asked, judgements });
  const items: Extract<ScoredItem, { type: 'answer' }>[] = [];
  for await (const item of deps.store.readLines(ref, 'items.jsonl', ScoredItem)) {
    if (item.type === 'answer') items.push(item);
  }
  return { scores: await deps.store.readJson(ref, 'scores.json', Scores), items, ref, requests };
}

/** As the workflow does between answering and scoring. */
async function judge(
  deps: ActivityDependencies,
  of: { readonly config: ArtifactRef; readonly data: ArtifactRef },
  { scores, to_judge = [] }: Awaited<ReturnType<Activities['scoreAnswers']>>,
) {
  const { judgeAnswers } = judgeActivities(deps);
  const judged: { mode: AnswerMode; judgements: ArtifactRef }[] = [];
  for (const { mode, benchmark, answers_file } of to_judge) {
    const input = { ...of, benchmark, answers: scores, answers_file };
    judged.push({ mode, judgements: (await judgeAnswers(input)).judgements });
  }
  return judged;
}

async function recordedJudge(
  workspace: string,
  grades: Readonly<Record<string, number>>,
  model: string,
) {
  const file = join(mkdtempSync(join(tmpdir(), 'sticflow-grades-')), 'grades.json');
  const recorded = Object.entries(grades).map(([id, grade]) => [
    id,
    { model: ['gpt-4'], content: [String(grade)], score: [grade] },
  ]);
  await writeFile(file, JSON.stringify(Object.fromEntries(recorded)));
  const mmvet = [await registerSource(workspace, file)];
  return { kind: 'replay' as const, model, recordings: { mmvet } };
}

async function answer(
  { store }: ActivityDependencies,
  spec: Parameters<typeof store.build>[0],
  rows: readonly GenerationRequest[],
  {
    textOf,
    template,
  }: { readonly textOf: (requestId: string) => string; readonly template: string },
): Promise<void> {
  await store.build(spec, async (directory) => {
    const facts = JSON.stringify({ template_sha256: template });
    await writeFile(join(directory, 'generation.json'), facts);
    const texts = rows.map(({ request_id }) => ({
      request_id,
      text: textOf(request_id),
      num_tokens: 1,
      finish_reason: 'stop',
    }));
    return await writeLines(join(directory, 'generations.jsonl'), texts);
  });
}

async function modelOf(
  { store }: ActivityDependencies,
  processor: string | null,
): Promise<ArtifactRef> {
  const spec = { kind: 'model' as const, inputs: [], parameters: { processor }, version: 1 };
  return await store.build(spec, async (directory) => {
    const files =
      processor === null
        ? []
        : [{ name: 'processor_config.json', size_bytes: 1, sha256: processor }];
    const model = { architecture: 'FakeForTests', files };
    await writeFile(join(directory, 'model.json'), JSON.stringify(model));
    return 0;
  });
}

/** What a user has on disk: the pictures that the small loaders name. */
async function userFolder(): Promise<string> {
  const folder = join(mkdtempSync(join(tmpdir(), 'sticflow-benchmark-')), 'data');
  mkdirSync(folder);
  for (const [index, name] of PICTURES.entries()) {
    const background = { r: 90 * index, g: 20, b: 200 };
    await sharp({ create: { width: 40, height: 30, channels: 3, background } })
      .png()
      .toFile(join(folder, name));
  }
  return folder;
}
