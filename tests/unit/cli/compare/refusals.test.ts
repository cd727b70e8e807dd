// Scores as the activities make them, compared only where like stands beside like.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sharp } from '../../../../activities/safe-sharp.ts';
import { compareSides } from '../../../../cli/compare/comparison.ts';
import { readSide } from '../../../../cli/compare/sides.ts';
import type { ArtifactRef } from '../../../../contract/artifact.ts';
import type { RoundResult } from '../../../../contract/status.ts';
import { preparedBenchmark, scored } from '../../activities/evaluated.ts';
import { temporaryFolder } from '../../activities/run-workspace.ts';
import { table, writeFiles } from '../../benchmarks/layouts/files.ts';

type Benchmark = Parameters<typeof preparedBenchmark>[0];
type Knobs = NonNullable<Parameters<typeof preparedBenchmark>[1]>;
type Circumstances = NonNullable<Parameters<typeof scored>[2]>;

interface Measured {
  readonly benchmark: Benchmark;
  readonly knobs?: Knobs;
  readonly circumstances?: Circumstances;
  readonly answered?: (id: string) => string;
}

async function measured({ benchmark, knobs, circumstances, answered = () => 'A' }: Measured) {
  const prepared = await preparedBenchmark(benchmark, knobs);
  const { ref } = await scored(prepared, answered, circumstances);
  return { store: prepared.deps.store, benchmark, ref };
}

/** As `sticflow compare` has the two sides, each of a run of its own. */
async function compared(a: Measured, b: Measured) {
  const [one, other] = [await measured(a), await measured(b)];
  const side = async ({ store, benchmark, ref }: typeof one) =>
    await readSide(store, benchmark, {
      name: 'base',
      policy: NO_POLICY,
      round: roundOf(benchmark, ref),
    });
  return compareSides(one.store, await side(one), await side(other));
}

const NO_REF: ArtifactRef = {
  kind: 'model',
  key: '0'.repeat(32),
  sha256: '0'.repeat(64),
  num_records: 0,
};
const NO_POLICY = { model: NO_REF, adapter: null };

function roundOf(set: string, scores: ArtifactRef): RoundResult {
  return {
    schema_version: 1,
    round: 1,
    previous: null,
    start_policy: NO_POLICY,
    end_policy: NO_POLICY,
    artifacts: {},
    scores: [{ set, policy: 'base', scores, headline: {} }],
    comparisons: [],
    counts: {},
    decision: { action: 'keep', reason: '' },
  };
}

const grades = { v1_0: 0.5, v1_1: 1 };
const PLAIN: Measured = { benchmark: 'scienceqa' };
const with_ = (knobs: Knobs): Measured => ({ benchmark: 'scienceqa', knobs });

describe('a comparison', () => {
  it('is made where everything is alike: each answer once, by what became of it', async () => {
    // (A) is no A to the official parser.
    const answered = (id: string): string => (id.startsWith('11/') ? 'A.' : 'A');

    const { sets, refused } = await compared({ ...PLAIN, answered }, PLAIN);

    expect(refused).toEqual([]);
    expect(sets[0]?.counts.direct).toEqual({ fixed: 1, broken: 0, both_wrong: 0, both_right: 5 });
    expect(sets[0]?.items.find(({ item_id }) => item_id === '11/direct')).toMatchObject({
      change: 'fixed',
      answers: { a: 'A.', b: 'A' },
      image: expect.stringMatching(/\.png$/) as string,
    });
    expect(sets[0]?.measures['accuracy']?.delta.value).toBeCloseTo(1 / 6, 12);
  });

  it.each<[string, Measured, Measured, RegExp]>([
    [
      'chat templates',
      PLAIN,
      { ...PLAIN, circumstances: { template: 'another' } },
      /^the chat templates differ: "a template" and "another"$/,
    ],
    [
      'settings of the image processor',
      PLAIN,
      { ...PLAIN, circumstances: { processor: 'f'.repeat(64) } },
      /^the image modes differ/,
    ],
    ['image backends', PLAIN, with_({ image_backend: 'torchvision' }), /^the image modes differ/],
    ['limits of new tokens', PLAIN, with_({ max_new_tokens: 7 }), /^the limits of new tokens/],
    ['blind describing', PLAIN, with_({ describe_blind: true }), /^one side described without/],
    [
      'samples',
      PLAIN,
      with_({ set: { max_questions: 3 } }),
      /^the questions differ: 3 are asked of the first only, 0 of the second$/,
    ],
    [
      'judges',
      { benchmark: 'mmvet', knobs: { grades } },
      { benchmark: 'mmvet', knobs: { grades, gradedBy: 'gpt-4o-2024-11-20' } },
      /^the judges differ: "gpt-4-0613.*" and "gpt-4o-2024-11-20/,
    ],
    [
      'a judge on one side only',
      { benchmark: 'mmvet', knobs: { grades } },
      { benchmark: 'mmvet' },
      /^the judges differ: .* and unknown$/,
    ],
    [
      'judgements of some answers only',
      { benchmark: 'mmvet', knobs: { grades } },
      { benchmark: 'mmvet', knobs: { grades: { v1_0: 0.5 } } },
      /^only 1 of 2 direct answers of the second are judged$/,
    ],
  ])('is refused with the reason: %s', async (_, a, b, reason) => {
    const { sets, refused } = await compared(a, b);

    expect(sets).toEqual([]);
    expect(refused).toMatchObject([{ set: a.benchmark }]);
    expect(refused[0]?.reasons).toContainEqual(expect.stringMatching(reason));
  });

  it('is refused where one side has OCR tokens in its prompts', async () => {
    const [without, withOcr] = [await textvqaTable(false), await textvqaTable(true)];

    const { sets, refused } = await compared(
      { benchmark: 'textvqa', knobs: { layout: without } },
      { benchmark: 'textvqa', knobs: { layout: withOcr } },
    );

    expect(sets).toEqual([]);
    expect(refused[0]?.reasons).toEqual([
      'the OCR settings differ: one side has OCR tokens in its prompts',
    ]);
  });

  it('does not mind describing that only one side did: what both have is compared', async () => {
    const { sets, refused } = await compared(
      PLAIN,
      with_({ describe_and_respond: 'off', describe_blind: true }),
    );

    expect(refused).toEqual([]);
    expect(sets[0]?.counts.dar).toEqual({ fixed: 0, broken: 0, both_wrong: 0, both_right: 0 });
    expect(sets[0]?.counts.direct.both_right).toBe(6);
  });
});

/** VLMEvalKit's table of one question, with a column of OCR tokens or without. */
async function textvqaTable(hasOcr: boolean): Promise<string> {
  const folder = join(temporaryFolder(), 'textvqa');
  const create = { width: 24, height: 16, channels: 3, background: '#e02020' } as const;
  const png = await sharp({ create }).png().toBuffer();
  const answers = `[${Array.from({ length: 10 }, () => "'dakota'").join(', ')}]`;
  const head = ['index', 'image', 'question', 'answer', ...(hasOcr ? ['ocr_tokens'] : [])];
  const row = ['7', png.toString('base64'), 'what does it say?', answers];
  const rows = [head, [...row, ...(hasOcr ? ["['DAKOTA']"] : [])]];
  await writeFiles(folder, { 'TextVQA_VAL.tsv': table(rows) });
  return folder;
}
