/** `judgeAnswers`: from the answers of a benchmark to judgements that its scorer reads. */
import { join } from 'node:path';
import { asyncLocalStorage } from '@temporalio/activity';
import type { z } from 'zod';
import type { JudgingPlan } from '../benchmarks/judging/judging.ts';
import { judgingOf } from '../benchmarks/judging/judgings.ts';
import { ScoreInputError } from '../benchmarks/scorer.ts';
import { type Activities, JudgeAnswersInput } from '../contract/activities.ts';
import type { JudgeConfig, JudgedBenchmark } from '../contract/config-judge.ts';
import { Judgement } from '../contract/judgements.ts';
import { appendRecord, readRecords } from '../store/append.ts';
import type { JsonObject } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import type { BuildSpec } from '../store/store.ts';
import type { ActivityDependencies } from './context.ts';
import { type JudgedBenchmarkWork, judgingSpec, publishJudgements } from './judge-artifact.ts';
import type { Judge } from './judge-interface.ts';
import { JudgeRooms, openaiJudge } from './judge-openai.ts';
import { judgeAll, type Passed } from './judge-pass.ts';
import { type PolicyReplies, policyJudge, requestsOf, requireAllSaid } from './judge-policy.ts';
import { NOBODY, replayJudge } from './judge-replay.ts';
import { readRunConfig } from './prepare-run.ts';
import { withProgress } from './progress.ts';

/** Folder of the scorer's files in the artifact with the questions. */
const SCORING_FILES = 'scoring';

const NO_JUDGE: JudgeConfig = { kind: 'none' };

export function judgeActivities(
  deps: ActivityDependencies,
): Pick<Activities, 'judgeAnswers' | 'askPolicyJudge'> {
  const rooms = new JudgeRooms(deps.workspace);
  return {
    async askPolicyJudge(input) {
      const { config: ref, ...asked } = JudgeAnswersInput.parse(input);
      const { config } = await readRunConfig(deps.store, ref);
      const how = config.evaluation.judge ?? NO_JUDGE;
      const judge = await policyJudge(how, asked.policy, { store: deps.store, seed: config.seed });
      const work = workOf(how, asked);
      const plan = await planOf(deps, work, judge);
      await judged(deps, { work, plan, judge, how });
      const wanted = judge.wanted();
      return { requests: wanted.length === 0 ? null : await requestsOf(deps.store, work, wanted) };
    },

    async judgeAnswers(input) {
      const { config: ref, ...asked } = JudgeAnswersInput.parse(input);
      const { config } = await readRunConfig(deps.store, ref);
      const how = config.evaluation.judge ?? NO_JUDGE;
      const judge = await openJudge(how, {
        benchmark: asked.benchmark,
        scope: ref.key,
        seed: config.seed,
        policy: asked.policy,
        rooms,
        deps,
      });
      const work = workOf(how, asked);
      const plan = await planOf(deps, work, judge);
      const { spec, ...passed } = await judged(deps, { work, plan, judge, how });
      requireAllSaid(passed.judgements);
      askAgainLater(passed, how);
      const { judgements } = passed;
      const { ref: made, judging } = await publishJudgements(deps.store, work, {
        judge,
        plan,
        judgements,
      });
      await deps.store.removeWorkDirectory(spec.kind, deps.store.key(spec));
      const { items, judged: num_judged, missing, by_rules } = judging.counts;
      return {
        judgements: made,
        counts: { items, judged: num_judged, missing, cached: passed.num_cached, by_rules },
        judge: judging.judge.label,
        stopped: stoppedBy(passed),
      };
    },
  };
}

function workOf(
  how: JudgeConfig,
  { policy, ...asked }: Omit<z.infer<typeof JudgeAnswersInput>, 'config'>,
): JudgedBenchmarkWork {
  const { runs } = judgingOf(asked.benchmark);
  return {
    ...asked,
    ...(policy === undefined ? {} : { model: policy.model }),
    num_runs: how.kind === 'none' || runs === 'one' ? 1 : how.num_runs,
    official_failures: how.kind !== 'none' && how.official_failures,
    parameters: parametersOf(how, asked.benchmark),
  };
}

interface Work {
  readonly work: JudgedBenchmarkWork;
  readonly plan: JudgingPlan;
  readonly judge: Judge;
  readonly how: JudgeConfig;
}

/** One pass over the answers, from where an earlier attempt ended. */
async function judged(
  { store }: ActivityDependencies,
  { work, plan, judge, how }: Work,
): Promise<Passed & { readonly spec: BuildSpec }> {
  const spec = judgingSpec(work);
  const partial = join(await store.workDirectory(spec.kind, store.key(spec)), 'judged.jsonl');
  const { max_tries } = judgingOf(work.benchmark);
  const max_answer_chars = 'max_answer_chars' in how ? how.max_answer_chars : 0;
  const max_parallel = 'max_parallel' in how ? how.max_parallel : 1;
  const { tasks } = plan;
  const { num_runs } = work;
  const done = await readRecords(partial, Judgement);
  const record = async (judgement: Judgement): Promise<void> => {
    // What is recorded or generated already is as quickly looked up again.
    if (how.kind === 'openai') await appendRecord(partial, judgement);
  };
  const passed = await withProgress(
    async (progress) =>
      await judgeAll(
        { judge, max_tries, max_answer_chars, max_parallel, tasks, num_runs, done, record },
        progress,
      ),
  );
  return { ...passed, spec };
}

interface Surroundings {
  readonly benchmark: JudgedBenchmark;
  readonly scope: string;
  readonly seed: number;
  readonly policy: PolicyReplies | undefined;
  readonly rooms: JudgeRooms;
  readonly deps: ActivityDependencies;
}

async function openJudge(
  how: JudgeConfig,
  { benchmark, scope, seed, policy, rooms, deps }: Surroundings,
): Promise<Judge> {
  switch (how.kind) {
    case 'none':
      return NOBODY;
    case 'replay':
      return await explained(async () => await replayJudge(how, benchmark, deps.workspace));
    case 'openai':
      return await openaiJudge(how, scope, rooms);
    case 'policy':
      return await policyJudge(how, policy, { store: deps.store, seed });
  }
}

/** What changes a judgement; not the key, the speed, the patience or the cap. */
function parametersOf(how: JudgeConfig, benchmark: JudgedBenchmark): JsonObject {
  switch (how.kind) {
    case 'none':
      return { judge: 'none' };
    case 'replay':
      return { judge: 'replay', model: how.model, recordings: how.recordings[benchmark] };
    case 'policy':
      // Which checkpoint is an input.
      return { judge: 'policy', prompt: how.prompt, max_answer_chars: how.max_answer_chars };
    case 'openai': {
      const { base_url, model, prompt, temperature, max_reply_tokens, max_answer_chars } = how;
      const sampling = { temperature, max_reply_tokens, max_answer_chars };
      return { judge: 'openai', base_url, model, prompt, ...sampling };
    }
  }
}

async function planOf(
  { store }: ActivityDependencies,
  { data, answers, answers_file, benchmark }: JudgedBenchmarkWork,
  { wants }: Judge,
): Promise<JudgingPlan> {
  const files = {
    data: join(store.directory(data), SCORING_FILES),
    answers: join(store.directory(answers), answers_file),
    wanted: wants,
  };
  return await explained(async () => {
    const plan = await judgingOf(benchmark).plan(files);
    // A prompt that lacks something is found before anything is paid for.
    if (wants === 'prompts') for (const task of plan.tasks) task.prompt('', 1);
    return plan;
  });
}

/** Mistakes in a user's files are for the user, not for a retry. */
async function explained<T>(reading: () => Promise<T>): Promise<T> {
  try {
    return await reading();
  } catch (error) {
    if (!(error instanceof ScoreInputError)) throw error;
    throw new SticflowError('DataInvalid', error.message, { cause: error });
  }
}

/** @throws SticflowError `JudgeUnavailable` while later attempts may still get replies. */
function askAgainLater({ judgements, last_fault }: Passed, how: JudgeConfig): void {
  if (how.kind !== 'openai') return;
  const open = judgements.filter(({ missing }) => missing === 'unavailable').length;
  const attempt = asyncLocalStorage.getStore()?.info.attempt ?? 1;
  if (open === 0 || attempt >= how.max_attempts) return;
  throw new SticflowError(
    'JudgeUnavailable',
    `Expected ${how.base_url} to judge ${judgements.length} answers, and ${open} are left without a reply: ${last_fault ?? 'the server did not answer'}. They are asked for again by themselves, ${how.max_attempts - attempt} times more; what was judged is kept.`,
    { details: { open, judged: judgements.length - open, attempt } },
  );
}

function stoppedBy({ judgements, last_fault }: Passed): string | null {
  const left = judgements.filter(({ missing }) => missing === 'spending_cap').length;
  if (left === 0) return null;
  return `The spending cap came first: ${left} of ${judgements.length} answers were not judged and have no score (${last_fault ?? 'cap'}). Raise the cap and start again; judged answers are not paid for twice.`;
}
