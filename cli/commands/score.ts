/** `sticflow score`: scores answers that some model gave already; needs no model and no server. */
import { type Command, Option } from 'commander';
import {
  type BenchmarkScore,
  type ParserName,
  type ScoreFiles,
  ScoreInputError,
  type Scorer,
} from '../../benchmarks/scorer.ts';
import { SCORERS } from '../../benchmarks/scorers.ts';
import { type CommonOptions, newCommand, type Shell } from '../command.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { type Outcome, table } from '../output.ts';

interface ScoreOptions extends CommonOptions {
  readonly data: string;
  readonly answers: string;
  readonly judgements?: string;
  readonly parser?: ParserName;
}

export function scoreCommand(shell: Shell): Command {
  return newCommand('score', {
    summary: 'score an existing answers file',
    description: `BENCHMARK is one of ${Object.keys(SCORERS).join(', ')}. The official parser counts what the benchmark's own script
counts, quirks included; the robust one reads answers the way a person would. Both are shown when none is
named and they differ. What cannot be read is wrong and counted as unparsed, never guessed.`,
    examples: [
      [
        'sticflow score pope --data eval/pope --answers eval/pope/answers/llava-v1.5-13b.jsonl',
        'both parsers, for people',
      ],
      [
        'sticflow score mmvet --data mm-vet --answers m.json --judgements m_grades.json --json',
        'from the recorded grades of a judge',
      ],
    ],
  })
    .argument('<benchmark>')
    .requiredOption('--data <dir>', "folder with the benchmark's questions and answers")
    .requiredOption('--answers <file>', 'what the model answered')
    .option('--judgements <file>', 'recorded grades or reviews (mmvet, llavabench)')
    .addOption(
      new Option('--parser <name>', 'how answers are read').choices(['official', 'robust']),
    )
    .action(async (benchmark: string, options: ScoreOptions) => {
      await shell.perform(options, () => score(benchmark, options));
    });
}

async function score(benchmark: string, options: ScoreOptions): Promise<Outcome> {
  const scorer = SCORERS[benchmark];
  if (scorer === undefined) {
    throw badInput(
      `Expected BENCHMARK to be one of ${Object.keys(SCORERS).join(', ')}, got "${benchmark}".`,
    );
  }
  const parser = options.parser ?? 'official';
  const chosen = await scored(scorer, filesOf(options, parser));
  const other =
    options.parser === undefined && options.json !== true
      ? await scored(scorer, filesOf(options, 'robust'))
      : null;
  return {
    document: {
      benchmark,
      parser,
      metrics: chosen.metrics,
      unparsed: chosen.unparsed,
      items: chosen.items.length,
    },
    text: comparisonTable(parser, chosen, other),
  };
}

function filesOf({ data, answers, judgements }: ScoreOptions, parser: ParserName): ScoreFiles {
  return { data, answers, judgements: judgements ?? null, parser };
}

/** @throws CliError when the user's files cannot be scored */
async function scored(scorer: Scorer, files: ScoreFiles): Promise<BenchmarkScore> {
  try {
    return await scorer(files);
  } catch (error) {
    if (error instanceof ScoreInputError) throw badInput(error.message, { cause: error });
    throw error;
  }
}

function badInput(message: string, options: ErrorOptions = {}): CliError {
  return new CliError('ScoreInput', message, EXIT.usage, options);
}

/** Figures of the chosen parser; those of the other stand beside where they differ. */
function comparisonTable(
  parser: ParserName,
  chosen: BenchmarkScore,
  other: BenchmarkScore | null,
): string {
  const figures = figuresOf(chosen);
  const others = new Map(other === null ? [] : figuresOf(other));
  const differs = other !== null && figures.some(([name, value]) => others.get(name) !== value);
  const rows = figures.map(([name, value]) => {
    const beside = others.get(name) ?? '';
    return differs ? [name, value, beside === value ? '' : beside] : [name, value];
  });
  return table([differs ? ['', parser, 'robust'] : ['', parser], ...rows]);
}

function figuresOf({ metrics, unparsed, items }: BenchmarkScore): [string, string][] {
  return [...flatten(metrics), ['unparsed', String(unparsed)], ['items', String(items.length)]];
}

/** `{a: {b: 1}}` -> `[['a.b', '1']]`; lists of records are for programs and left out. */
function flatten(value: unknown, path = ''): [string, string][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([name, inner]) =>
      flatten(inner, path === '' ? name : `${path}.${name}`),
    );
  }
  if (path === 'stdout' || path === 'per_sample') return [];
  return [[path, typeof value === 'string' ? value : JSON.stringify(value)]];
}
