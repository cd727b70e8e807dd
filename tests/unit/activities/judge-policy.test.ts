/** A checkpoint as judge: what it says is generated like any text; here its texts are published by hand. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { collected } from '../../../activities/collected.ts';
import { translateErrors } from '../../../activities/errors.ts';
import { judgeActivities } from '../../../activities/judge.ts';
import type { ArtifactRef } from '../../../contract/artifact.ts';
import { GenerationRequest } from '../../../contract/records.ts';
import { canonicalJson } from '../../../store/canonical.ts';
import { writeLines } from '../../../store/lines.ts';
import { type AnswerFiles, answerTexts, llavabenchAnswers, mmvetAnswers } from './judge-answers.ts';
import { judgeWorkspace } from './judge-workspace.ts';
import { dependencies } from './run-workspace.ts';

const POLICY = { kind: 'policy', checkpoint: 'builtin:scenes/model' } as const;

/** What a judging checkpoint says to a request of one pass. */
type Says = (request: GenerationRequest, pass: number) => string;

async function setUp() {
  const made = await judgeWorkspace();
  const deps = dependencies(made.workspace);
  const activities = translateErrors(judgeActivities(deps));
  const { store } = deps;
  const modelOf = async (weights: string): Promise<ArtifactRef> =>
    await store.build(
      { kind: 'model', inputs: [], parameters: { weights }, version: 1 },
      async (directory) => {
        const files = [{ name: 'model.safetensors', sha256: weights.repeat(64), size_bytes: 1 }];
        const content = canonicalJson({ architecture: 'Judge', files });
        await writeFile(join(directory, 'model.json'), content);
        return 0;
      },
    );
  const requestsIn = async (ref: ArtifactRef) =>
    await collected(store.readLines(ref, 'requests.jsonl', GenerationRequest));
  /** The steps that a workflow takes. */
  const judgedBy = async (says: Says, answers: AnswerFiles, knobs: object = {}, weights = 'a') => {
    const asked = await made.input({ ...POLICY, ...knobs }, answers);
    const model = await modelOf(weights);
    const replies: ArtifactRef[] = [];
    const passes: GenerationRequest[][] = [];
    for (;;) {
      const policy = { model, replies: [...replies] };
      const { requests } = await activities.askPolicyJudge({ ...asked, policy });
      if (requests === null) {
        return {
          asked: { ...asked, policy },
          passes,
          ...(await activities.judgeAnswers({ ...asked, policy })),
        };
      }
      const wanted = await requestsIn(requests);
      passes.push(wanted);
      const texts = wanted.map((request) => ({
        request_id: request.request_id,
        text: says(request, passes.length),
        num_tokens: 3,
        finish_reason: 'stop' as const,
      }));
      replies.push(
        await store.build(
          { kind: 'generations', inputs: [requests, model], parameters: { texts }, version: 1 },
          async (directory) => {
            await mkdir(directory, { recursive: true });
            return await writeLines(join(directory, 'generations.jsonl'), texts);
          },
        ),
      );
    }
  };
  return { ...made, activities, modelOf, judgedBy };
}

describe('a checkpoint as judge', () => {
  it('is asked once about every answer, and its points are those that the scorer reads', async () => {
    const { judgedBy, score } = await setUp();

    const { passes, counts, judgements, judge, asked } = await judgedBy(
      () => '0.5',
      mmvetAnswers(answerTexts(3)),
    );

    expect(passes.map((requests) => requests.length)).toEqual([3]);
    expect(counts).toMatchObject({ items: 3, judged: 3, missing: 0 });
    expect(judge).toMatch(/^Judge@[0-9a-f]{12} \(checkpoint\)$/);
    expect((await score(asked, judgements)).metrics['cap_score']).toMatchObject({ total: 50 });
  });

  it('asks again for what cannot be read, and then the answer has no points', async () => {
    const { judgedBy, values, judging } = await setUp();

    const { passes, judgements } = await judgedBy(
      ({ prompt }, pass) => {
        if (prompt.includes('item-0')) return '1.0';
        return prompt.includes('item-1') && pass === 2 ? '0.3' : 'I am a language model.';
      },
      mmvetAnswers(answerTexts(3)),
    );

    expect(passes[1]).toHaveLength(2);
    expect(passes[2]).toHaveLength(1);
    expect(await values(judgements)).toEqual({ v1_0: 1, v1_1: 0.3, v1_2: null });
    expect(await judging(judgements)).toMatchObject({
      partial: true,
      missing_by_reason: { unreadable: 1 },
    });
  });

  it('does not generate a greedy reply to the same prompt twice, whichever run asks', async () => {
    const { judgedBy } = await setUp();
    const same = mmvetAnswers(['a cat', 'a cat']);

    const { passes, counts } = await judgedBy(() => '1', same, { num_runs: 2 });

    expect(passes.map((requests) => requests.length)).toEqual([1]);
    expect(counts).toMatchObject({ items: 4, judged: 4 });
  });

  it('draws anew for every run where the official judge is sampled', async () => {
    const { judgedBy } = await setUp();

    const { passes } = await judgedBy(() => '8 4', llavabenchAnswers(['a cat']), { num_runs: 2 });

    const [first] = passes;
    expect(first?.map(({ temperature }) => temperature)).toEqual([0.2, 0.2]);
    expect(new Set(first?.map(({ seed }) => seed)).size).toBe(2);
  });

  it('puts the system message in front of the prompt, which not every template has', async () => {
    const { judgedBy } = await setUp();

    const { passes } = await judgedBy(() => '8 4', llavabenchAnswers(['a cat']));

    const prompt = passes[0]?.[0]?.prompt ?? '';
    expect(prompt).toMatch(/^You are a helpful and precise assistant.*\n\n\[Context\]/);
  });

  it('has another name and other judgements with other weights', async () => {
    const { judgedBy } = await setUp();
    const answers = mmvetAnswers(answerTexts(1));

    const one = await judgedBy(() => '1', answers);
    const other = await judgedBy(() => '0', answers, {}, 'b');

    expect(other.judge).not.toBe(one.judge);
    expect(other.judgements.key).not.toBe(one.judgements.key);
  });

  it('is not finished before every reply is there', async () => {
    const { activities, input, modelOf } = await setUp();
    const asked = await input(POLICY, mmvetAnswers(answerTexts(2)));
    const policy = { model: await modelOf('a'), replies: [] };

    await expect(activities.judgeAnswers({ ...asked, policy })).rejects.toThrow(
      /every reply of the judging checkpoint .* 2 of 2 answers lack theirs/,
    );
    await expect(activities.judgeAnswers(asked)).rejects.toThrow(/its checkpoint, resolved/);
  });
});
