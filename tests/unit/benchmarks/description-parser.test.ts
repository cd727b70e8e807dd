import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { countClaims, readDescription } from '../../../benchmarks/description-parser.ts';
import { SceneObject } from '../../../contract/records.ts';

const Case = z.strictObject({
  claim: z.string(),
  text: z.string(),
  truth: z.array(SceneObject),
  objects: z.array(
    z.strictObject({
      shape: z.string(),
      color: z.string(),
      size: z.string().nullable(),
      position: z.string().nullable(),
    }),
  ),
  things: z.array(z.string()),
  precision: z.number().nullable(),
  recall: z.number().nullable(),
  hallucinated: z.boolean(),
});

/** Written beside the grammar; the Python reader is tested against the same file. */
const cases = readFileSync(
  join(import.meta.dirname, '../../fixtures/scenes/description-cases.jsonl'),
  'utf8',
)
  .trim()
  .split('\n')
  .map((line) => Case.parse(JSON.parse(line)));

describe('readDescription', () => {
  it.each(cases)('reads: $claim', ({ claim: _, text, truth, objects, things, ...measures }) => {
    const { num_claimed, num_right, num_true } = countClaims(text, { objects: truth });

    expect(readDescription(text)).toEqual({ objects, things });
    expect({
      precision: num_claimed === 0 ? null : num_right / num_claimed,
      recall: num_true === 0 ? null : num_right / num_true,
      hallucinated: num_right < num_claimed,
    }).toEqual(measures);
  });

  it('reads any text without failing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        const { num_claimed, num_right } = countClaims(text, { objects: [] });
        return num_right === 0 && num_claimed >= 0;
      }),
    );
  });

  it('reads 100,000 hostile characters in less than a second', () => {
    const texts = ['top '.repeat(25_000), `a${' '.repeat(99_999)}`, 'a large red '.repeat(8_000)];
    for (const text of [...texts, '\0'.repeat(100_000), '\ud800<image>'.repeat(12_500)]) {
      const started = performance.now();
      readDescription(text);
      expect(performance.now() - started).toBeLessThan(1000);
    }
  });
});
