/** `sticflow eval`: measures a model, or a policy of a run, on benchmarks. */
import { existsSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { OFFICIAL_BENCHMARKS } from '../../contract/config-evaluation.ts';
import { openStore } from '../../store/store.ts';
import { type CommonOptions, type Context, collect, newCommand, type Shell } from '../command.ts';
import { loadConfigText } from '../config/load.ts';
import { adapterOfPolicy, unknownModel } from '../policy-errors.ts';
import { findPolicy, parsePolicySpec } from '../policy-spec.ts';
import { listRuns, readRun } from '../run-file.ts';
import { startAndFollow } from './run.ts';
import { knownStatus } from './status.ts';

interface EvalOptions extends CommonOptions {
  readonly model: string;
  readonly adapter?: string;
  readonly benchmarks: readonly Benchmark[];
  readonly dar: 'on' | 'off' | 'both';
  readonly limit?: number;
  readonly set: readonly string[];
  readonly detach?: boolean;
}

interface Benchmark {
  readonly name: string;
  /** null for the embedded pictures. */
  readonly data: string | null;
}

export function evalCommand(shell: Shell): Command {
  return newCommand('eval', {
    summary: 'measure a model on benchmarks',
    description: `Benchmarks are ${OFFICIAL_BENCHMARKS.join(', ')}, each with the folder of its own files, and scenes, the embedded pictures.
An evaluation is a run: the same command attaches to it or shows its result, finished shards are never made again,
and status, watch, pause, cancel, retry, result and report take its id.`,
    examples: [
      [
        'sticflow eval --model llava-1.5-7b-hf --benchmarks pope=eval/pope,scienceqa=eval/scienceqa',
        'a checkpoint, asked at once and with describe-and-respond',
      ],
      [
        'sticflow eval --model RUN:1:infused_training --benchmarks mmbench=eval/mmbench --dar on',
        'a policy of a run, with the settings of that run',
      ],
      [
        'sticflow eval --model builtin:scenes/model --benchmarks scenes --limit 60 --set model.dtype=float32',
        'the embedded model on 60 of the embedded pictures',
      ],
    ],
  })
    .requiredOption(
      '--model <model>',
      'checkpoint folder, hub:<owner>/<name>@<commit>, builtin:<name>, or a policy RUN[:ROUND[:POLICY]]',
    )
    .option('--adapter <dir>', 'PEFT folder on top of the checkpoint')
    .requiredOption('--benchmarks <name=dir,...>', 'what to ask; repeatable', benchmarks)
    .addOption(
      new Option('--dar <mode>', 'describe-and-respond')
        .choices(['on', 'off', 'both'])
        .default('both'),
    )
    .option(
      '--limit <n>',
      'questions of each benchmark (pictures of scenes), a seeded sample',
      count,
    )
    .option('--set <key=value>', 'override a value of the config; repeatable', collect, [])
    .option('--detach', 'start and leave: exit code 6, the evaluation goes on')
    .action(async (options: EvalOptions) => {
      await shell.perform(options, async (context) => {
        const config = await loadConfigText(
          { text: await configText(context, options), shown: 'sticflow eval', directory: '.' },
          { overrides: options.set, workspace: context.workspace },
        );
        return await startAndFollow(context, { config, name: 'sticflow eval' }, options);
      });
    });
}

/** The config of a run that trains nothing; JSON is YAML. */
async function configText(context: Context, options: EvalOptions): Promise<string> {
  const { model, knobs } = await modelOf(context, options);
  const config = {
    name: 'eval',
    ...knobs.experiment,
    training_stages: [],
    model,
    images: { source: null },
    evaluation: {
      ...knobs.evaluation,
      sets: options.benchmarks.map((benchmark) => setOf(benchmark, options.limit)),
      policies: ['base'],
      describe_and_respond: options.dar,
    },
  };
  return JSON.stringify(config, null, 2);
}

interface ChosenModel {
  readonly model: object;
  /** What else decides about texts; empty = the defaults. */
  readonly knobs: { readonly experiment: object; readonly evaluation: object };
}

async function modelOf(context: Context, { model, adapter }: EvalOptions): Promise<ChosenModel> {
  if (/^(?:builtin|hub):/.test(model) || existsSync(model) || /[/\\]/.test(model)) {
    const chosen = { source: model, ...(adapter === undefined ? {} : { adapter }) };
    return { model: chosen, knobs: { experiment: {}, evaluation: {} } };
  }
  // A policy has the adapter that its run gave it; with another one it would be another policy.
  if (adapter !== undefined) throw adapterOfPolicy(model);
  return await policyOf(context, model);
}

/** A policy of a run comes with all settings of that run, so that scores can be compared with its own. */
async function policyOf(context: Context, name: string): Promise<ChosenModel> {
  const spec = parsePolicySpec(name);
  const run = await readRun(context.workspace, spec.runId);
  if (run === null) throw await neitherModelNorRun(context.workspace, name);
  const { status } = await knownStatus(context, spec.runId);
  const store = openStore(context.workspace);
  const { policy } = await findPolicy(store, status, spec);
  const adapter = policy.adapter === null ? {} : { adapter: store.directory(policy.adapter) };
  const { model, seed, prompts, generation, evaluation } = run.config;
  const { max_new_tokens, num_bootstrap, describe_blind, judge } = evaluation;
  return {
    model: { ...model, ...adapter },
    knobs: {
      experiment: { seed, prompts, generation },
      evaluation: { max_new_tokens, num_bootstrap, describe_blind, judge },
    },
  };
}

async function neitherModelNorRun(workspace: string, name: string): Promise<Error> {
  const runs = (await listRuns(workspace)).map(({ run_id }) => run_id);
  return unknownModel(name, runs);
}

function setOf({ name, data }: Benchmark, limit: number | undefined): object {
  if (data !== null) {
    return {
      name,
      benchmark: name,
      data,
      ...(limit === undefined ? {} : { max_questions: limit }),
    };
  }
  return {
    name,
    benchmark: 'scenes',
    questions: 'builtin:scenes/questions-test.jsonl',
    truth: 'builtin:scenes/truth-test.jsonl',
    image_root: 'builtin:scenes/images',
    max_images: limit ?? null,
  };
}

/** `pope=eval/pope,scenes`; may be given several times. */
function benchmarks(text: string, before: readonly Benchmark[] = []): Benchmark[] {
  const named = text.split(',').map((part): Benchmark => {
    const [name = '', ...rest] = part.split('=');
    const data = rest.length === 0 ? null : rest.join('=');
    if (name === 'scenes' && data === null) return { name, data };
    const isKnown = OFFICIAL_BENCHMARKS.some((official) => official === name);
    if (isKnown && data !== null && data !== '') return { name, data };
    throw new InvalidArgumentError(
      isKnown
        ? `Expected ${name}=DIR with the folder of the benchmark's files, got "${part}".`
        : `Expected one of ${OFFICIAL_BENCHMARKS.join(', ')} with =DIR, or scenes, got "${part}".`,
    );
  });
  return [...before, ...named];
}

function count(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError('Expected a whole number of 1 or more.');
}
