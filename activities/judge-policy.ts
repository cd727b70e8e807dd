/**
 * A checkpoint of the user's as judge. What it says is generated on the gpu queue like any text; here
 * its replies are looked up, and those that are still to be written are asked for.
 */
import { join } from 'node:path';
import type { z } from 'zod';
import type { JudgePrompt } from '../benchmarks/judging/judging.ts';
import type { JudgeAnswersInput } from '../contract/activities.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { JudgeConfig } from '../contract/config-judge.ts';
import type { Judgement } from '../contract/judgements.ts';
import { Generation, type GenerationRequest } from '../contract/records.ts';
import { canonicalJson, sha256Hex } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import { writeLines } from '../store/lines.ts';
import { seedFor } from '../store/random.ts';
import type { Store } from '../store/store.ts';
import { type JudgedBenchmarkWork, judgingSpec } from './judge-artifact.ts';
import { type Judge, type JudgeRequest, NoReply } from './judge-interface.ts';
import { ModelArtifact } from './model.ts';

/** The model that judges, and what it has said so far. */
export type PolicyReplies = NonNullable<z.infer<typeof JudgeAnswersInput>['policy']>;

const STAGE_VERSION = 1;

export interface AskingJudge extends Judge {
  /** Requests for the replies that were missed, each once. */
  readonly wanted: () => readonly GenerationRequest[];
}

/**
 * @param seed - of the run: judgings that are to differ draw from it.
 * @throws SticflowError `ConfigInvalid` where the config names no checkpoint, or nobody has resolved it.
 */
export async function policyJudge(
  how: JudgeConfig,
  policy: PolicyReplies | undefined,
  { store, seed }: { readonly store: Store; readonly seed: number },
): Promise<AskingJudge> {
  if (how.kind !== 'policy' || policy === undefined) {
    throw new SticflowError(
      'ConfigInvalid',
      `Expected evaluation.judge of the kind policy and its checkpoint, resolved; got ${how.kind} and ${policy === undefined ? 'no' : 'a'} model. Start the workflow with a client of this version.`,
    );
  }
  const { prompt } = how;
  const { model, replies } = policy;
  const { architecture } = await store.readJson(model, 'model.json', ModelArtifact);
  const said = new Map<string, Generation>();
  for (const ref of replies) {
    for await (const text of store.readLines(ref, 'generations.jsonl', Generation)) {
      said.set(text.request_id, text);
    }
  }
  const wanted = new Map<string, GenerationRequest>();
  return {
    identity: {
      kind: 'policy',
      model: `${architecture}@${model.sha256.slice(0, 12)}`,
      prompt,
      temperature: null,
    },
    remarks: ['checkpoint', ...(prompt === 'official' ? [] : ['fenced prompt'])],
    wants: 'prompts',
    reply: async (asked) => {
      const request = generationRequest(asked, seed);
      const text = said.get(request.request_id);
      if (text === undefined) {
        wanted.set(request.request_id, request);
        throw new NoReply('not_generated', 'The reply is still to be generated.');
      }
      return await Promise.resolve({
        reply: {
          text: text.text,
          finish_reason: text.finish_reason,
          prompt_tokens: null,
          completion_tokens: text.num_tokens,
          served_model: null,
        },
        origin: 'asked',
      });
    },
    // Generations are artifacts: found again by their key.
    keep: async () => {
      await Promise.resolve();
    },
    wanted: () => [...wanted.values()],
  };
}

/** The artifact of requests that a GPU worker takes: the same for the same wants. */
export async function requestsOf(
  store: Store,
  work: JudgedBenchmarkWork,
  wanted: readonly GenerationRequest[],
): Promise<ArtifactRef> {
  const { inputs } = judgingSpec(work);
  const content = sha256Hex(canonicalJson(wanted));
  return await store.build(
    {
      kind: 'generation_requests',
      inputs,
      parameters: { purpose: 'judge', content },
      version: STAGE_VERSION,
    },
    async (directory) => await writeLines(join(directory, 'requests.jsonl'), wanted),
  );
}

/** @throws SticflowError `Internal` for judging that is finished before every reply is there. */
export function requireAllSaid(judgements: readonly Judgement[]): void {
  const open = judgements.filter(({ missing }) => missing === 'not_generated').length;
  if (open === 0) return;
  throw new SticflowError(
    'Internal',
    `Expected every reply of the judging checkpoint before its judgements are published, but ${open} of ${judgements.length} answers lack theirs. Start the workflow again; please report this if it comes again.`,
  );
}

/**
 * Named by all that the reply depends on. Greedy replies to one prompt are one, whichever run or try asks;
 * sampled ones differ by run and try, as those of a server do.
 */
function generationRequest(
  { prompt, item_id, run, attempt }: JudgeRequest,
  runSeed: number,
): GenerationRequest {
  if (prompt === null) throw new Error(`no prompt for ${item_id}`);
  const { temperature, max_reply_tokens } = prompt;
  const seed = temperature === 0 ? 0 : seedFor(runSeed, 'judge', item_id, run, attempt);
  const asked = {
    image: null,
    prompt: asOneTurn(prompt),
    temperature,
    top_p: null,
    max_new_tokens: max_reply_tokens,
    seed,
  };
  return { request_id: `judge/${sha256Hex(canonicalJson(asked)).slice(0, 32)}`, ...asked };
}

/** Not every template has a system message; in front of the user's it is read by every model. */
function asOneTurn({ messages }: JudgePrompt): string {
  return messages.map(({ content }) => content).join('\n\n');
}
