/** A comparison with everything on its page: graded and plain sets, every kind of change, a set that was refused. */
import type { Measure } from '../../../contract/measures.ts';
import type {
  Change,
  ComparedMeasure,
  ComparisonPageInput,
  ShownItem,
} from '../../../report/comparison-input.ts';

/** 1 x 1, red. */
const PIXEL =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';

function around(value: number, half: number): Measure {
  return { value, low: value - half, high: value + half, n: 240 };
}

function measured(a: number, delta: Measure, p_value: number): ComparedMeasure {
  return {
    a: around(a, 0.05),
    b: around(a + delta.value, 0.05),
    delta,
    test: { test: 'mcnemar', measure: 'accuracy', p_value, p_holm: Math.min(1, 2 * p_value) },
  };
}

function item(change: Change, more: Partial<ShownItem> = {}): ShownItem {
  const isRight = { a: change === 'broken', b: change === 'fixed' };
  const text = (right: boolean): string => (right ? 'It is red.' : 'It is blue.');
  return {
    item_id: `${change}/direct`,
    mode: 'direct',
    change,
    image: '/workspace/files/1.png',
    image_data_uri: PIXEL,
    question: 'What color is it?',
    expected: 'red',
    prompts: { a: 'What color is it?', b: 'What color is it?' },
    answers: { a: text(isRight.a), b: text(isRight.b) },
    scores: { a: Number(isRight.a), b: Number(isRight.b) },
    ...more,
  };
}

const NONE = { fixed: 0, broken: 0, both_wrong: 0, both_right: 0 };

export function comparisonPage(): ComparisonPageInput {
  return {
    schema_version: 1,
    a: { name: 'eval-0000000001', round: 1, policy: 'base' },
    b: { name: 'scenes-0000000002:1', round: 1, policy: 'infused_training' },
    sets: [
      {
        set: 'scienceqa',
        benchmark: 'scienceqa',
        measures: {
          accuracy: measured(0.5, around(0.1, 0.04), 0.00001),
          accuracy_dar: measured(0.5, around(0.01, 0.04), 0.6),
          'accuracy/IMG': measured(0.4, around(-0.1, 0.04), 0.01),
        },
        counts: {
          direct: { fixed: 60, broken: 1, both_wrong: 1, both_right: 100 },
          dar: { ...NONE, fixed: 1, both_right: 161 },
        },
        items: [
          item('fixed'),
          item('broken'),
          item('both_wrong', { image: null, image_data_uri: null }),
          item('fixed', {
            item_id: 'fixed/dar',
            mode: 'dar',
            prompts: {
              a: 'Image description:\nA blue one.\n\nWhat color is it?',
              b: 'Image description:\nA red one.\n\nWhat color is it?',
            },
          }),
        ],
      },
      {
        set: 'mmvet',
        benchmark: 'mmvet',
        measures: { accuracy: measured(0.3, around(-0.1, 0.02), 0.001) },
        counts: { direct: { ...NONE, broken: 1 }, dar: NONE },
        items: [item('broken', { expected: '', scores: { a: 1, b: 0.4 } })],
      },
    ],
    refused: [{ set: 'pope', reasons: ['the chat templates differ: "a" and "b"'] }],
  };
}

/** The same with `text` in every free text, and `uri` in place of every image. */
export function poisonedComparison(text: string, uri: string = PIXEL): ComparisonPageInput {
  const page = comparisonPage();
  const name = { name: text, round: 1, policy: text };
  return {
    ...page,
    a: name,
    b: name,
    sets: page.sets.map((set, place) => ({
      ...set,
      set: `${text}${String(place)}`,
      benchmark: text,
      measures: { ...set.measures, [`accuracy/${text}`]: measured(0.5, around(0.1, 0.2), 0.5) },
      items: set.items.map((each) => ({
        ...each,
        image_data_uri: uri,
        question: text,
        expected: text,
        prompts: { a: text, b: `${text} b` },
        answers: { a: text, b: `${text} b` },
      })),
    })),
    refused: [{ set: text, reasons: [text] }],
  };
}
