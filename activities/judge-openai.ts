/** The judge behind an OpenAI-compatible endpoint: cache, then cap, then pace, then request. */
import { join } from 'node:path';
import type { JudgePrompt } from '../benchmarks/judging/judging.ts';
import type { OpenaiJudge } from '../contract/config-judge.ts';
import { canonicalJson, type JsonObject, sha256Hex } from '../store/canonical.ts';
import { requireEndpoint } from '../store/endpoints.ts';
import { judgeDir } from '../store/layout.ts';
import { ReplyCache } from './judge-cache.ts';
import { JudgeClient, PassingFault } from './judge-client.ts';
import { type Judge, type JudgeReply, type JudgeRequest, NoReply } from './judge-interface.ts';
import { Pace, wait } from './judge-pace.ts';
import { Spending } from './judge-spending.ts';
import { resolveSecret } from './secret.ts';

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 30_000;
/** A server that wants a longer rest is asked again by a later attempt. */
const LONGEST_REST_MS = 600_000;

const OFFICIAL_HOST = 'api.openai.com';

/** What the judges of one worker share; made once a worker. */
export class JudgeRooms {
  readonly workspace: string;
  readonly #rooms = new Map<string, unknown>();
  readonly cache: ReplyCache;

  constructor(workspace: string) {
    this.workspace = workspace;
    this.cache = new ReplyCache(judgeDir(workspace, 'replies'));
  }

  /** One for each server, key and speed. */
  pace({ base_url, api_key, requests_per_minute }: OpenaiJudge): Pace {
    const name = sha256Hex(canonicalJson([base_url, api_key, requests_per_minute])).slice(0, 32);
    const directory = join(judgeDir(this.workspace, 'pace'), name);
    return this.#one(directory, () => new Pace(directory, requests_per_minute));
  }

  /** One for each config. */
  spending(scope: string, caps: OpenaiJudge['spending']): Spending {
    const path = join(judgeDir(this.workspace, 'spending'), `${scope}.jsonl`);
    return this.#one(path, () => new Spending(path, caps));
  }

  #one<T>(name: string, make: () => T): T {
    const made = this.#rooms.get(name) ?? make();
    this.#rooms.set(name, made);
    // Names of the two kinds lie in different folders.
    return made as T;
  }
}

/**
 * @param scope - what a spending cap is over: the key of the config.
 * @throws SticflowError `SecretMissing`, or `SourceNotFound` for an address that nobody registered
 */
export async function openaiJudge(
  config: OpenaiJudge,
  scope: string,
  rooms: JudgeRooms,
): Promise<Judge> {
  const { base_url, api_key } = config;
  await requireEndpoint(rooms.workspace, { base_url, api_key });
  const key = api_key === null ? null : await resolveSecret(rooms.workspace, api_key);
  const client = new JudgeClient(config, key);
  const pace = rooms.pace(config);
  const spending = rooms.spending(scope, config.spending);
  const asked = (prompt: JudgePrompt): JudgePrompt => ({
    ...prompt,
    temperature: config.temperature ?? prompt.temperature,
    max_reply_tokens: config.max_reply_tokens ?? prompt.max_reply_tokens,
  });
  return {
    identity: {
      kind: 'openai',
      model: config.model,
      prompt: config.prompt,
      temperature: config.temperature,
    },
    remarks: remarksOf(config),
    wants: 'prompts',
    reply: async (request, signal) => {
      const prompt = asked(promptOf(request));
      return await rooms.cache.reply(
        cacheKey(config, request, prompt),
        async () =>
          await spending.book(
            prompt,
            async () => await insistently(client, pace, { prompt, config, signal }),
          ),
      );
    },
    keep: async (replies) => {
      for (const { request, reply } of replies) {
        await rooms.cache.keep(cacheKey(config, request, asked(promptOf(request))), reply);
      }
    },
  };
}

interface Insistence {
  readonly prompt: JudgePrompt;
  readonly config: OpenaiJudge;
  readonly signal: AbortSignal;
}

/** Asks until there is a reply or `max_retries` is used up; every request waits for its turn. */
async function insistently(
  client: JudgeClient,
  pace: Pace,
  { prompt, config, signal }: Insistence,
): Promise<JudgeReply> {
  for (let retry = 0; ; retry += 1) {
    await pace.turn(signal);
    try {
      return await client.ask(prompt, signal);
    } catch (error) {
      if (!(error instanceof PassingFault)) throw error;
      const ownWait = Math.min(FIRST_WAIT_MS * 2 ** retry, LONGEST_WAIT_MS);
      const rest = error.afterMs ?? ownWait;
      const isShort = rest <= LONGEST_REST_MS;
      if (error.isForAll && isShort) await pace.pause(rest);
      if (retry >= config.max_retries || !isShort) throw new NoReply('unavailable', error.message);
      if (!error.isForAll) await wait(rest, signal);
    }
  }
}

function promptOf({ prompt, item_id }: JudgeRequest): JudgePrompt {
  if (prompt === null) throw new Error(`no prompt for ${item_id}`);
  return prompt;
}

/** All that the reply depends on. Runs and tries ask the same and want different replies. */
function cacheKey(config: OpenaiJudge, request: JudgeRequest, prompt: JudgePrompt): JsonObject {
  const { temperature, max_reply_tokens } = prompt;
  const messages = prompt.messages.map(({ role, content }) => ({ role, content }));
  const { run, attempt } = request;
  const { base_url, model } = config;
  return { base_url, model, temperature, max_reply_tokens, messages, run, attempt };
}

function remarksOf({ base_url, prompt, temperature }: OpenaiJudge): string[] {
  const { host } = new URL(base_url);
  return [
    ...(host === OFFICIAL_HOST ? [] : [`at ${host}`]),
    ...(prompt === 'official' ? [] : ['fenced prompt']),
    ...(temperature === null ? [] : [`temperature ${String(temperature)}`]),
  ];
}
