/** A comparison for people: figures by set and measure, then the answers that changed. */
import type {
  ComparedItem,
  ComparedMeasure,
  ComparedSet,
  ComparisonDocument,
} from '../../report/comparison-input.ts';
import { pValue, table } from '../output.ts';

const MAX_TEXT = 60;

/** `numItems`: of each kind of change and set. */
export function comparisonText(document: ComparisonDocument, numItems: number): string {
  const { a, b, sets, refused } = document;
  const side = ({ name, round, policy }: ComparisonDocument['a']): string =>
    `${name} (round ${round}, ${policy})`;
  return [
    `a: ${side(a)}\nb: ${side(b)}`,
    ...(sets.length === 0 ? [] : [figures(sets)]),
    ...sets.map((set) => changes(set, numItems)),
    ...refused.map(
      ({ set, reasons }) => `${set}: not compared, because ${reasons.join('; and ')}.`,
    ),
  ].join('\n\n');
}

function figures(sets: readonly ComparedSet[]): string {
  const rows = sets.flatMap(({ set, measures }) =>
    Object.entries(measures)
      .filter(([name]) => !name.includes('/'))
      .map(([name, measure]) => [set, name, ...cells(measure)]),
  );
  const head = ['set', 'measure', 'n', 'a', 'b', 'b - a [95 %]', 'p', 'p (Holm)', 'test'];
  return table([head, ...rows]);
}

function cells({ a, b, delta, test }: ComparedMeasure): string[] {
  const interval = `${signed(delta.value)} [${signed(delta.low)}, ${signed(delta.high)}]`;
  const tested =
    test === null ? ['', '', ''] : [pValue(test.p_value), pValue(test.p_holm), test.test];
  return [String(delta.n), a.value.toFixed(3), b.value.toFixed(3), interval, ...tested];
}

function changes({ set, counts, items }: ComparedSet, numItems: number): string {
  const blocks = (['direct', 'dar'] as const).flatMap((mode) => {
    const { fixed, broken, both_wrong, both_right } = counts[mode];
    if (fixed + broken + both_wrong + both_right === 0) return [];
    const head = `${set} · ${mode}: ${fixed} fixed, ${broken} broken, ${both_wrong} both wrong, ${both_right} both right`;
    const shown = (['fixed', 'broken', 'both_wrong'] as const).flatMap((change) =>
      items
        .filter((item) => item.mode === mode && item.change === change)
        .slice(0, numItems)
        .map(row),
    );
    if (shown.length === 0) return [head];
    return [
      `${head}\n${table([['', 'item', 'question', 'expected', 'a', 'b', 'image'], ...shown])}`,
    ];
  });
  return blocks.join('\n\n');
}

function row({ change, item_id, question, expected, answers, image }: ComparedItem): string[] {
  const texts = [question, expected, answers.a, answers.b].map(short);
  return [`  ${change.replace('_', ' ')}`, item_id, ...texts, image ?? '(text alone)'];
}

/** One line, without what a terminal would obey. */
function short(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT - 1)}…` : line;
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(3)}`;
}
