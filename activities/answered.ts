/** What a policy was asked and what it wrote, read back out of the shards of an evaluation. */
import { z } from 'zod';
import type { ShardSet } from '../contract/activities.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { ScoringConditions } from '../contract/measures.ts';
import { Generation, GenerationRequest } from '../contract/records.ts';
import type { RunConfig } from '../contract/run-config.ts';
import { canonicalJson, sha256Hex } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import type { Store } from '../store/store.ts';
import { ModelArtifact } from './model.ts';
import { finishedShard } from './shard-plan.ts';

/** Part of `generation.json`; an engine behind an API does not know its template. */
const GenerationFacts = z.object({ template_sha256: z.string().optional() });

interface Exchange {
  readonly prompt: string;
  readonly text: string;
}

export interface Answered {
  /** The generations, in the order of the shards: what scores are made from. */
  readonly inputs: readonly ArtifactRef[];
  /** null = the engine tells none. */
  readonly template_sha256: string | null;
  /** @throws SticflowError when the text is not there: a fault, never a wrong answer */
  readonly of: (requestId: string) => Exchange;
  /** Text of a description; null where none was asked for. */
  readonly descriptionOf: (requestId: string) => string | null;
}

/** Reads every shard of the fan-outs given. */
export async function readAnswered(
  store: Store,
  run: RunConfig,
  fanOuts: readonly ShardSet[],
): Promise<Answered> {
  const inputs: ArtifactRef[] = [];
  const prompts = new Map<string, string>();
  const texts = new Map<string, string>();
  const templates = new Set<string | null>();
  for (const shards of fanOuts) {
    for (let shard = 0; shard < shards.num_shards; shard += 1) {
      const { requests, generations } = await finishedShard(store, run, shards, shard);
      inputs.push(generations);
      for await (const row of store.readLines(requests, 'requests.jsonl', GenerationRequest)) {
        prompts.set(row.request_id, row.prompt);
      }
      for await (const row of store.readLines(generations, 'generations.jsonl', Generation)) {
        texts.set(row.request_id, row.text);
      }
      const facts = await store.readJson(generations, 'generation.json', GenerationFacts);
      templates.add(facts.template_sha256 ?? null);
    }
  }
  return {
    inputs,
    template_sha256: onlyTemplate(templates),
    of: (requestId) => {
      const [prompt, text] = [prompts.get(requestId), texts.get(requestId)];
      if (prompt !== undefined && text !== undefined) return { prompt, text };
      throw new SticflowError(
        'DataInvalid',
        `Expected a text for the request ${requestId}, found none.`,
      );
    },
    descriptionOf: (requestId) => texts.get(requestId) ?? null,
  };
}

/** What another policy's scores must agree in to be compared with these. */
export async function conditionsOf(
  store: Store,
  { config, prompts }: RunConfig,
  {
    answers,
    template_sha256,
    judge,
  }: {
    readonly answers: ShardSet;
    readonly template_sha256: string | null;
    readonly judge: string | null;
  },
): Promise<ScoringConditions> {
  const { describe_and_respond, describe_blind, max_new_tokens } = config.evaluation;
  const isDar = describe_and_respond !== 'off';
  return {
    template_sha256,
    image_mode: await imageModeOf(store, answers.policy.model, config.model.image_backend),
    describe_blind: describe_blind === true,
    description_prompt: isDar ? prompts.describe_and_respond.description_prompt : null,
    question_template: isDar ? prompts.describe_and_respond.question_template : null,
    max_new_tokens,
    judge,
  };
}

function onlyTemplate(templates: ReadonlySet<string | null>): string | null {
  const [template = null, ...others] = templates;
  if (others.length === 0) return template;
  throw new SticflowError(
    'DataInvalid',
    `Expected one chat template for all answers of an evaluation, got ${templates.size}. The checkpoint changed while it was evaluated; start the run again.`,
  );
}

/** Padding, crops and resizing follow from the processor's own settings and the backend. */
async function imageModeOf(store: Store, model: ArtifactRef, backend: string): Promise<string> {
  const { files } = await store.readJson(model, 'model.json', ModelArtifact);
  const settings = files
    .filter(({ name }) => /^(?:pre)?processor_config\.json$/.test(name))
    .map(({ name, sha256 }) => [name, sha256]);
  return `${sha256Hex(canonicalJson(settings)).slice(0, 16)}/${backend}`;
}
