/**
 * Who judges free-form answers. A config names the place of a key and never holds one; it is read
 * inside the judging activity only.
 */
import { z } from 'zod';
import { OpenAiEngineConfig } from './config-engine.ts';
import { ModelSource, SecretRef, SourceRef } from './source.ts';

/** The benchmarks whose official score needs a judge, always or for answers that rules cannot read. */
export const JUDGED_BENCHMARKS = ['llavabench', 'mmvet', 'mathvista', 'mmbench'] as const;
export const JudgedBenchmark = z.enum(JUDGED_BENCHMARKS);
export type JudgedBenchmark = z.infer<typeof JudgedBenchmark>;

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

const shared = {
  num_runs: z
    .int()
    .min(1)
    .max(20)
    .default(1)
    .describe('times that llavabench and mmvet are judged; MM-Vet paper: 5, its script: 1'),
  official_failures: z
    .boolean()
    .default(false)
    .describe(
      'a reply that cannot be read counts as in the official scripts ([-1, -1], 0.0, whatever it says), instead of as missing',
    ),
};

const Prices = z.strictObject({
  prompt: z.number().min(0).describe('money for a million tokens of prompt'),
  completion: z.number().min(0).describe('money for a million tokens of reply'),
});

const Spending = z.strictObject({
  max_tokens: z
    .int()
    .positive()
    .nullable()
    .default(null)
    .describe('prompt and reply together, over all judging of one config; null = no cap'),
  max_money: z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe('in the currency of the prices; null = no cap'),
  prices: Prices.nullable().default(null).describe('needed by max_money'),
});

export const OpenaiJudge = z.strictObject({
  kind: z.literal('openai'),
  base_url: OpenAiEngineConfig.shape.base_url
    .default('https://api.openai.com/v1')
    .describe(
      'any server with POST /chat/completions; plain http:// to another machine only without a key',
    ),
  model: z
    .string()
    .regex(/^[\w./:@-]{1,200}$/, 'expected a model name of letters, digits and ._/:@-')
    .describe('as the server knows it, with its version: gpt-4-0613; STIC scripts: gpt-4-0613'),
  api_key: SecretRef.nullable()
    .default('env:OPENAI_API_KEY')
    .describe('env:NAME of the CPU worker, or file:PATH in YAML; null = the server wants none'),
  prompt: z
    .enum(['official', 'fenced'])
    .default('official')
    .describe(
      'official = byte for byte as published; fenced = the answer between random marks that a system message explains. Scores of the two are not comparable',
    ),
  temperature: z.number().min(0).max(2).nullable().default(null).describe('null = official'),
  max_reply_tokens: z
    .int()
    .min(1)
    .max(32_768)
    .nullable()
    .default(null)
    .describe('null = official; models that think before they reply need more'),
  limit_parameter: z
    .enum(['max_tokens', 'max_completion_tokens'])
    .default('max_tokens')
    .describe('how the server calls the limit of a reply'),
  max_answer_chars: z
    .int()
    .min(100)
    .max(1_000_000)
    .default(20_000)
    .describe('what a judge gets to see of an answer; a cut is recorded'),
  timeout_seconds: z.number().positive().max(3600).default(120).describe('for one whole reply'),
  max_retries: z
    .int()
    .min(0)
    .max(50)
    .default(5)
    .describe('after 429, 5xx, timeouts and lost connections, within one attempt'),
  max_attempts: z
    .int()
    .min(1)
    .max(1000)
    .default(20)
    .describe('attempts, a minute apart, after which what was not judged stays missing'),
  max_parallel: z.int().min(1).max(64).default(4).describe('requests under way in one activity'),
  requests_per_minute: z
    .int()
    .min(1)
    .max(100_000)
    .nullable()
    .default(null)
    .describe('over all workers of the workspace; null = as fast as the server allows'),
  spending: Spending.prefault({}),
  ...shared,
});
export type OpenaiJudge = z.infer<typeof OpenaiJudge>;

const Recordings = z.array(SourceRef).max(20).default([]);

const ReplayJudge = z.strictObject({
  kind: z.literal('replay'),
  model: z.string().min(1).max(200).describe('who gave the recorded judgements, with version'),
  recordings: z
    .strictObject({
      llavabench: Recordings.describe('reviews (JSON lines), one file a run'),
      mmvet: Recordings.describe('grades (JSON), one file with all runs or one a run'),
      mathvista: Recordings.describe('a predictions file with extractions (JSON)'),
      mmbench: Recordings.describe('judgements.jsonl of an earlier judging'),
    })
    .prefault({}),
  ...shared,
});
export type ReplayJudge = z.infer<typeof ReplayJudge>;

export const PolicyJudge = z.strictObject({
  kind: z.literal('policy'),
  checkpoint: ModelSource.describe(
    'folder of a model (path in YAML) or hub:<owner>/<name>@<commit>; it judges on the gpu queue, with dtype, device and threads of `model`',
  ),
  prompt: OpenaiJudge.shape.prompt,
  max_answer_chars: OpenaiJudge.shape.max_answer_chars
    .unwrap()
    .default(8000)
    .describe(OpenaiJudge.shape.max_answer_chars.description ?? ''),
  ...shared,
});
export type PolicyJudge = z.infer<typeof PolicyJudge>;

const NoJudge = z.strictObject({ kind: z.literal('none') });

/** By `kind`: an endpoint, recorded judgements, a local checkpoint, or nobody. */
export const JudgeConfig = z
  .discriminatedUnion('kind', [NoJudge, OpenaiJudge, ReplayJudge, PolicyJudge])
  .superRefine((judge, context) => {
    const issue = (path: string[], message: string): void => {
      context.addIssue({ code: 'custom', path, message });
    };
    if (judge.kind !== 'openai') return;
    const { protocol, hostname } = new URL(judge.base_url);
    const isOpen = protocol === 'http:' && !LOOPBACK.includes(hostname);
    if (isOpen && judge.api_key !== null) {
      issue(
        ['base_url'],
        'expected https:// where a key is sent, got http:// to another machine. Use https, or api_key: null for a server without one.',
      );
    }
    const { max_money, prices } = judge.spending;
    if (max_money !== null && prices === null) {
      issue(
        ['spending', 'prices'],
        'expected the prices of a million tokens beside max_money. Add prices: {prompt: ..., completion: ...}.',
      );
    }
  });
export type JudgeConfig = z.infer<typeof JudgeConfig>;
