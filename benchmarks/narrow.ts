/**
 * Cuts a benchmark's annotation files down to the questions that were asked. Some official scripts count a
 * question without an answer as wrong, or join answers and labels by position: of a sample, the other
 * questions must not be there.
 */
import type { OfficialBenchmark } from '../contract/config-evaluation.ts';

type Files = ReadonlyMap<string, string>;

/** `ids`: the questions that stay. Benchmarks whose scorer looks at answered rows only stay whole. */
export function narrowScoringData(
  benchmark: OfficialBenchmark,
  files: Files,
  ids: ReadonlySet<string>,
): Files {
  switch (benchmark) {
    case 'scienceqa':
      return mapped(files, 'pid_splits.json', (text) => onlyTestIds(text, ids));
    case 'mmvet':
      return mapped(files, 'mm-vet.json', (text) => onlyKeys(text, ids));
    case 'pope':
      return narrowPope(files, ids);
    case 'textvqa':
    case 'chartqa':
    case 'llavabench':
    case 'mmbench':
    case 'mathvista':
    case 'chair':
      return files;
  }
}

/** Rotations of one MMBench question are asked together or not at all; others stand for themselves. */
export function familyOf(benchmark: OfficialBenchmark, questionId: string): string {
  // VLMEvalKit: rotations of question i have the indices i, i + 1e6, i + 2e6, ...
  return benchmark === 'mmbench' ? String(Number(questionId) % 1_000_000) : questionId;
}

function mapped(files: Files, name: string, change: (text: string) => string): Files {
  return new Map([...files].map(([file, text]) => [file, file === name ? change(text) : text]));
}

function onlyTestIds(text: string, ids: ReadonlySet<string>): string {
  const splits = objectOf(text);
  const test = splits['test'];
  if (!Array.isArray(test)) return text;
  return JSON.stringify({ ...splits, test: test.filter((id) => ids.has(String(id))) });
}

function onlyKeys(text: string, ids: ReadonlySet<string>): string {
  return JSON.stringify(
    Object.fromEntries(Object.entries(objectOf(text)).filter(([id]) => ids.has(id))),
  );
}

/** Labels stand in the order of their category's questions; both lose the same places. */
function narrowPope(files: Files, ids: ReadonlySet<string>): Files {
  const questions = linesOf(files.get('llava_pope_test.jsonl') ?? '').map((line) => ({
    line,
    row: objectOf(line),
  }));
  const isKept = ({ row }: { row: Record<string, unknown> }): boolean =>
    ids.has(String(row['question_id']));
  return new Map(
    [...files].map(([file, text]) => {
      if (file === 'llava_pope_test.jsonl') {
        return [file, joined(questions.filter(isKept).map(({ line }) => line))];
      }
      const [, category] = /^coco\/coco_pope_(\w+)\.json$/.exec(file) ?? [];
      if (category === undefined) return [file, text];
      const ofCategory = questions.filter(({ row }) => row['category'] === category);
      const labels = linesOf(text).filter((_, place) => {
        const question = ofCategory[place];
        return question !== undefined && isKept(question);
      });
      return [file, joined(labels)];
    }),
  );
}

function objectOf(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}

function joined(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
