import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  duration,
  percent,
  points,
  pointsInterval,
  safeImage,
  visible,
} from '../../../report/format.ts';
import { path } from '../../../report/lineage.ts';
import { lowerIsBetter, measureLabel, verdict } from '../../../report/measures.ts';
import { flatten } from '../../../report/sections/config.tsx';
import { finishedRun } from './fixture.ts';

describe('figures', () => {
  it('are signed when they are differences, and never minus zero', () => {
    expect(points(0.0123)).toBe('+1.2');
    expect(points(-0.0123)).toBe('\u22121.2');
    expect(points(-0.0001)).toBe('0.0');
    expect(percent(0.6123)).toBe('61.2\u202f%');
    expect(pointsInterval({ value: 0, low: -0.01, high: 0.02, n: 1 })).toBe('\u22121.0 to +2.0');
  });

  it('of time name their units', () => {
    expect([0.42, 48, 75.2, 3700].map(duration)).toEqual([
      '0.4 s',
      '48 s',
      '1 min 15 s',
      '1 h 1 min',
    ]);
  });
});

describe('visible', () => {
  it('shows control characters as signs and keeps lines and tabs', () => {
    expect(visible('a\0b\x1b[31m\tc\nd\x7f')).toBe('a\u2400b\u241b[31m\tc\nd\ufffd');
  });

  it('replaces lone surrogates and keeps pairs', () => {
    expect(visible('\ud83d\ude00 \ud83d \ude00')).toBe('\u{1f600} \ufffd \ufffd');
  });

  it('makes every text encodable as UTF-8', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.constantFrom('\ud800', '\udc00', ''),
        (any, lone) => {
          const shown = visible(any + lone);

          expect(Buffer.from(shown, 'utf8').toString('utf8')).toBe(shown);
        },
      ),
    );
  });
});

describe('safeImage', () => {
  it('passes inline PNG, JPEG and WebP of bounded size only', () => {
    expect(safeImage('data:image/png;base64,AAAA')).toBe('data:image/png;base64,AAAA');
    expect(safeImage('data:image/gif;base64,AAAA')).toBeNull();
    expect(safeImage(`data:image/png;base64,${'A'.repeat(70_000)}`)).toBeNull();
    expect(safeImage(null)).toBeNull();
  });
});

describe('verdict', () => {
  const delta = (low: number, high: number) => ({ value: (low + high) / 2, low, high, n: 10 });

  it('needs an interval that excludes zero', () => {
    expect(verdict('accuracy', delta(0.01, 0.1))).toBe('better');
    expect(verdict('accuracy', delta(-0.1, -0.01))).toBe('worse');
    expect(verdict('accuracy', delta(-0.01, 0.1))).toBe('not_shown');
    expect(verdict('accuracy', delta(0, 0.1))).toBe('not_shown');
  });

  it('turns round where lower is better', () => {
    expect(lowerIsBetter('hallucination_rate')).toBe(true);
    expect(verdict('hallucination_rate', delta(-0.1, -0.01))).toBe('better');
  });

  it('goes with labels that keep the question type', () => {
    expect(measureLabel('accuracy_dar/color')).toBe('Describe and respond · color');
    expect(measureLabel('something_new')).toBe('something_new');
  });
});

describe('lineage path', () => {
  it('leads from the last scores to the images', async () => {
    const { lineage } = await finishedRun(2);

    expect(path(lineage).map(({ label }) => label)).toEqual([
      'scores, round 2, after infused training',
      'adapter, round 2, infused training',
      'infused examples, round 2',
      'adapter, round 2, preference training',
      'pairs, round 2',
      'images',
    ]);
  });

  it('ends on a cycle', async () => {
    const { lineage } = await finishedRun(1);
    const images = lineage.nodes.find(({ ref }) => ref.kind === 'images');
    const pairs = lineage.nodes.find(({ ref }) => ref.kind === 'preference_pairs');
    const edges = [...lineage.edges, { from: pairs?.ref.key ?? '', to: images?.ref.key ?? '' }];

    expect(path({ ...lineage, edges })).toHaveLength(6);
  });
});

describe('flatten', () => {
  it('spells knobs as --set takes them', () => {
    expect(flatten({ a: { b: 1, c: [1, 2] }, d: null, e: [{ f: 'x' }], g: {} })).toEqual([
      ['a.b', '1'],
      ['a.c', '[1,2]'],
      ['d', 'null'],
      ['e.0.f', '"x"'],
      ['g', '{}'],
    ]);
  });
});
