/**
 * One request to an OpenAI-compatible server, by the official client, and what its failure means. The
 * client's own retries are off: it would sleep through cancellation, and knows neither pace nor cap.
 */
import OpenAI, { APIError } from 'openai';
import { z } from 'zod';
import type { JudgePrompt } from '../benchmarks/judging/judging.ts';
import type { OpenaiJudge } from '../contract/config-judge.ts';
import { SticflowError } from '../store/errors.ts';
import { type JudgeReply, NoReply } from './judge-interface.ts';
import { redactor } from './secret.ts';

const MAX_SERVER_WORDS = 300;

/** The parts of a chat completion that are used; servers differ in the rest. */
const Completion = z.looseObject({
  model: z.string().max(200).nullish(),
  choices: z
    .array(
      z.looseObject({
        finish_reason: z.string().max(100).nullish(),
        message: z.looseObject({
          content: z.string().nullish(),
          refusal: z.string().nullish(),
        }),
      }),
    )
    .min(1),
  usage: z
    .looseObject({
      prompt_tokens: z.int().nonnegative(),
      completion_tokens: z.int().nonnegative(),
    })
    .nullish(),
});

/** Worth another request; `afterMs` is what the server asked for. */
export class PassingFault extends Error {
  override readonly name = 'PassingFault';
  readonly afterMs: number | null;
  /** Whether the server asked everybody to wait. */
  readonly isForAll: boolean;

  constructor(message: string, afterMs: number | null, isForAll: boolean) {
    super(message);
    this.afterMs = afterMs;
    this.isForAll = isForAll;
  }
}

export class JudgeClient {
  readonly #client: OpenAI;
  readonly #config: OpenaiJudge;
  readonly #redact: (text: string) => string;

  constructor(config: OpenaiJudge, key: string | null) {
    this.#config = config;
    this.#redact = redactor(key);
    this.#client = new OpenAI({
      baseURL: config.base_url,
      apiKey: key ?? 'none',
      maxRetries: 0,
      // Above ours, so that there is one clock.
      timeout: 2 * 1000 * config.timeout_seconds,
      // Otherwise taken from variables of the worker, and sent to whatever address a config names.
      logLevel: 'off',
      adminAPIKey: null,
      organization: null,
      project: null,
      webhookSecret: null,
      ...(key === null ? { defaultHeaders: { Authorization: null } } : {}),
      fetch: fetchPlainly,
    });
  }

  /** @throws PassingFault, NoReply `rejected`, SticflowError, or the signal's reason. */
  async ask(prompt: JudgePrompt, signal: AbortSignal): Promise<JudgeReply> {
    const { model, limit_parameter, timeout_seconds } = this.#config;
    const body = {
      model,
      messages: prompt.messages.map(({ role, content }) => ({ role, content })),
      temperature: prompt.temperature,
      [limit_parameter]: prompt.max_reply_tokens,
    };
    // The client's own timeout ends with the headers; a body may hang for ever.
    const deadline = new AbortController();
    const abort = (): void => {
      deadline.abort();
    };
    const timer = setTimeout(abort, 1000 * timeout_seconds);
    signal.addEventListener('abort', abort, { once: true });
    try {
      signal.throwIfAborted();
      return this.#read(
        await this.#client.chat.completions.create(body, { signal: deadline.signal }),
      );
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof PassingFault) throw error;
      if (deadline.signal.aborted) {
        throw new PassingFault(`no whole reply within ${timeout_seconds} s`, null, false);
      }
      throw this.#faultOf(error);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }

  #read(completion: unknown): JudgeReply {
    const parsed = Completion.safeParse(completion);
    if (!parsed.success) throw new PassingFault('a reply that is no chat completion', null, false);
    const { choices, model, usage } = parsed.data;
    const [choice] = choices;
    const { content, refusal } = choice?.message ?? {};
    const declined =
      (refusal ?? '') !== '' ||
      (content ?? '') === '' ||
      choice?.finish_reason === 'content_filter';
    const clean = (text: string | null | undefined): string | null =>
      text === null || text === undefined ? null : this.#redact(text);
    return {
      text: declined ? null : clean(content),
      finish_reason: clean(choice?.finish_reason),
      prompt_tokens: usage?.prompt_tokens ?? null,
      completion_tokens: usage?.completion_tokens ?? null,
      served_model: clean(model),
    };
  }

  /** What the client threw, without its cause: that holds headers. */
  #faultOf(error: unknown): Error {
    const words = this.#redact(error instanceof Error ? error.message : String(error));
    const said = words.slice(0, MAX_SERVER_WORDS);
    // `APIError` also stands for lost connections, which have no status.
    if (!(error instanceof APIError) || typeof error.status !== 'number') {
      return new PassingFault(`the connection failed (${said})`, null, false);
    }
    // The class leaves its parameters open; with a status, the client fills these in.
    const { status, code, headers } = error as APIError<number, Headers>;
    if (status === 401 || status === 403 || code === 'insufficient_quota') {
      return this.#keyRejected(status, said);
    }
    if (status === 404) return this.#notThere(said);
    const afterMs = retryAfterMs(headers);
    if (status === 429) return new PassingFault(`too many requests (${said})`, afterMs, true);
    if (status === 408 || status === 409 || status >= 500) {
      return new PassingFault(`the server failed (${said})`, afterMs, false);
    }
    return new NoReply('rejected', said);
  }

  #keyRejected(status: number, said: string): SticflowError {
    const { base_url, api_key } = this.#config;
    return new SticflowError(
      'JudgeKeyRejected',
      `Expected ${base_url} to take the key ${api_key ?? '(none)'}, and it answered ${status}: ${said}. Put a valid key (with credit) behind evaluation.judge.api_key and start again; what was judged is kept.`,
      { details: { status } },
    );
  }

  #notThere(said: string): SticflowError {
    const { base_url, model } = this.#config;
    return new SticflowError(
      'ConfigInvalid',
      `Expected ${base_url} to serve the model ${model} (evaluation.judge.base_url, .model), and it answered 404: ${said}. Mend the name or the address; what was judged is kept.`,
    );
  }
}

/** The client adds what OPENAI_CUSTOM_HEADERS says, and much about this machine. */
const SENT_HEADERS = ['accept', 'authorization', 'content-type', 'user-agent'];

/** Sends no header but those, and nothing to a server that nobody named. */
async function fetchPlainly(
  url: Parameters<typeof fetch>[0],
  init?: Parameters<typeof fetch>[1],
): Promise<Response> {
  const headers = [...new Headers(init?.headers)].filter(([name]) => SENT_HEADERS.includes(name));
  return await fetch(url, { ...init, headers, redirect: 'error' });
}

/** `Retry-After` in seconds or as a date, and OpenAI's own header in milliseconds. */
function retryAfterMs(headers: Headers): number | null {
  const milliseconds = Number.parseFloat(headers.get('retry-after-ms') ?? '');
  if (Number.isFinite(milliseconds)) return Math.max(0, milliseconds);
  const text = headers.get('retry-after') ?? '';
  const seconds = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isFinite(seconds)) return 1000 * seconds;
  const date = Date.parse(text);
  return Number.isFinite(date) ? Math.max(0, date - Date.now()) : null;
}
