/** A workspace with answers to be judged, and the fake judge (`tests/fixtures/fake-judge-server.mjs`). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { translateErrors } from '../../../activities/errors.ts';
import { judgeActivities } from '../../../activities/judge.ts';
import type { BenchmarkScore } from '../../../benchmarks/scorer.ts';
import { SCORERS } from '../../../benchmarks/scorers.ts';
import type { Activities } from '../../../contract/activities.ts';
import type { ArtifactRef } from '../../../contract/artifact.ts';
import { Judgement, Judging } from '../../../contract/judgements.ts';
import { registerEndpoint } from '../../../store/endpoints.ts';
import { temporaryDirectory } from '../store/temporary.ts';
import type { AnswerFiles } from './judge-answers.ts';
import { dependencies, prepared } from './run-workspace.ts';

const SERVER = fileURLToPath(new URL('../../fixtures/fake-judge-server.mjs', import.meta.url));

const Listening = z.object({ port: z.int() });
const Entry = z.object({
  number: z.int(),
  item: z.string().nullable(),
  authorization: z.string(),
  temperature: z.number(),
  limit: z.int(),
  prompt_chars: z.int(),
  at_ms: z.number(),
  does: z.string(),
});

export interface Fault {
  readonly at: readonly number[] | 'all';
  readonly does: string;
  readonly [option: string]: unknown;
}

interface JudgeServerOptions {
  readonly faults?: readonly Fault[];
  readonly key?: string;
  readonly obeys?: 'answers';
  /** To come back where an earlier one died, counting on. */
  readonly like?: JudgeServer;
}

export interface JudgeServer {
  readonly journalFile: string;
  readonly port: number;
  readonly url: string;
  /** Every request so far, over all starts. */
  readonly requests: () => z.infer<typeof Entry>[];
  /** How often each item was asked for. */
  readonly timesAsked: () => Record<string, number>;
}

export async function startJudge(options: JudgeServerOptions = {}): Promise<JudgeServer> {
  const { faults = [], key, obeys, like } = options;
  const journalFile = like?.journalFile ?? join(await temporaryDirectory(), 'journal.jsonl');
  const child = spawn(
    process.execPath,
    [
      SERVER,
      ...['--journal', journalFile, '--faults', JSON.stringify(faults)],
      ...['--port', String(like?.port ?? 0)],
      ...(key === undefined ? [] : ['--key', key]),
      ...(obeys === undefined ? [] : ['--obeys', obeys]),
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { port } = Listening.parse(JSON.parse(line));
  const requests = (): z.infer<typeof Entry>[] =>
    existsSync(journalFile)
      ? readFileSync(journalFile, 'utf8')
          .split('\n')
          .filter((each) => each !== '')
          .map((each) => Entry.parse(JSON.parse(each)))
      : [];
  return {
    journalFile,
    port,
    url: `http://127.0.0.1:${String(port)}/v1`,
    requests,
    timesAsked: () => {
      const times: Record<string, number> = {};
      for (const { item } of requests()) times[item ?? '?'] = (times[item ?? '?'] ?? 0) + 1;
      return times;
    },
  };
}

const OpenaiEndpoint = z.object({ base_url: z.string(), api_key: z.string().nullable() });

type Input = Parameters<Activities['judgeAnswers']>[0];

export interface JudgeWorkspace {
  readonly workspace: string;
  readonly activities: Pick<Activities, 'judgeAnswers'>;
  /** Input for `judgeAnswers`: these answers before this judge. */
  readonly input: (judge: object, answers: AnswerFiles) => Promise<Input>;
  readonly judgements: (ref: ArtifactRef) => Promise<Judgement[]>;
  readonly judging: (ref: ArtifactRef) => Promise<Judging>;
  /** Values by item, null where missing. */
  readonly values: (ref: ArtifactRef) => Promise<Record<string, Judgement['value']>>;
  /** What the benchmark's scorer makes of it; the first run where there are several files. */
  readonly score: (input: Input, ref: ArtifactRef, run?: number) => Promise<BenchmarkScore>;
  /** Another worker on the same workspace. */
  readonly anotherWorker: () => Pick<Activities, 'judgeAnswers'>;
}

export async function judgeWorkspace(): Promise<JudgeWorkspace> {
  const workspace = await temporaryDirectory();
  const deps = dependencies(workspace);
  const { store } = deps;
  const images = join(workspace, 'images');
  await mkdir(images);
  const anotherWorker = () => translateErrors(judgeActivities(dependencies(workspace)));
  const judgements = async (ref: ArtifactRef): Promise<Judgement[]> => {
    const all: Judgement[] = [];
    for await (const each of store.readLines(ref, 'judgements.jsonl', Judgement)) all.push(each);
    return all;
  };
  const judging = async (ref: ArtifactRef): Promise<Judging> =>
    await store.readJson(ref, 'judging.json', Judging);
  return {
    workspace,
    activities: anotherWorker(),
    anotherWorker,
    judgements,
    judging,
    input: async (judge, { benchmark, answers_file, files }) => {
      // What a person may write; the schema is the activity's business.
      const evaluation = { judge } as NonNullable<Parameters<typeof prepared>[2]>['evaluation'];
      const { config } = await prepared(deps, images, { evaluation });
      const named = OpenaiEndpoint.safeParse(judge);
      // As the CLI does with what a person names.
      if (named.success) await registerEndpoint(workspace, named.data);
      const answers = await store.build(
        { kind: 'generations', inputs: [], parameters: { files }, version: 1 },
        async (directory) => {
          for (const [name, text] of Object.entries(files)) {
            await mkdir(dirname(join(directory, name)), { recursive: true });
            await writeFile(join(directory, name), text);
          }
          return 0;
        },
      );
      return { config, benchmark, data: answers, answers, answers_file };
    },
    values: async (ref) =>
      Object.fromEntries((await judgements(ref)).map(({ item_id, value }) => [item_id, value])),
    score: async ({ benchmark, answers, answers_file }, ref, run = 1) => {
      const { scorer_files } = await judging(ref);
      const made = store.directory(ref);
      const folder = store.directory(answers);
      const scorer = SCORERS[benchmark];
      if (scorer === undefined) throw new Error(`no scorer of ${benchmark}`);
      const judged = scorer_files.judgements[run - 1];
      return await scorer({
        data: join(folder, 'scoring'),
        answers:
          scorer_files.answers === null
            ? join(folder, answers_file)
            : join(made, scorer_files.answers),
        judgements: judged === undefined ? null : join(made, judged),
        parser: 'official',
      });
    },
  };
}
