import { readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Metrics } from '../../../benchmarks/scorer.ts';
import { differences } from '../../../scripts/parity/differences.ts';
import {
  isParityDataThere,
  NO_PARITY_DATA,
  parityJson,
  parityPath,
} from '../../../scripts/parity/files.ts';
import { PARITY_RUNS } from '../../../scripts/parity/runs.ts';
import { registerSource } from '../../../store/sources.ts';
import { type AnswerFiles, answerTexts, llavabenchAnswers, mmvetAnswers } from './judge-answers.ts';
import { judgeWorkspace } from './judge-workspace.ts';

function withoutData(): boolean {
  if (isParityDataThere()) return false;
  if (process.env['CI'] !== undefined) throw new Error(NO_PARITY_DATA);
  process.stderr.write(`SKIPPED: parity of replayed judgements. ${NO_PARITY_DATA}\n`);
  return true;
}

const text = (...parts: string[]): string => readFileSync(parityPath(...parts), 'utf8');

const LLAVABENCH = 'llava-v1.5-13b';

function realLlavabench(): AnswerFiles {
  return {
    benchmark: 'llavabench',
    answers_file: 'answers.jsonl',
    files: {
      'answers.jsonl': text('llavabench', 'answers', `${LLAVABENCH}.jsonl`),
      // Contexts and references are needed only by a judge that is asked.
      'scoring/questions.jsonl': text('llavabench', 'questions_without_images.jsonl'),
    },
  };
}

function realMmvet(): AnswerFiles {
  return {
    benchmark: 'mmvet',
    answers_file: 'answers.json',
    files: {
      'answers.json': text('mmvet', `${LLAVABENCH}.json`),
      'scoring/mm-vet.json': text('mmvet', 'mm-vet.json'),
    },
  };
}

/** The published predictions without what GPT-4 extracted from them. */
function realMathvista(model: string): AnswerFiles {
  const problems = parityJson<Record<string, unknown>>('mathvista', 'predictions', `${model}.json`);
  const answered = Object.entries(problems).map(([id, { extraction: _, ...problem }]) => [
    id,
    problem,
  ]);
  const answers = JSON.stringify(Object.fromEntries(answered));
  return {
    benchmark: 'mathvista',
    answers_file: 'answers.json',
    files: { 'answers.json': answers },
  };
}

function expectedOf(benchmark: string, part: string): Metrics {
  const run = PARITY_RUNS.find(
    (each) =>
      each.benchmark === benchmark && `${each.judgements ?? ''} ${each.answers}`.includes(part),
  );
  if (run === undefined) throw new Error(`no parity run ${benchmark} ${part}`);
  return run.metrics();
}

describe.skipIf(withoutData())(
  'recorded judgements of real answers, through judge and scorer',
  () => {
    it('LLaVA-Bench: each of three runs has the score of the official script', async () => {
      const { workspace, input, activities, score } = await judgeWorkspace();
      const files = ['eval1', 'eval2', 'eval3'];
      const llavabench = await Promise.all(
        files.map(async (name) =>
          registerSource(
            workspace,
            parityPath('llavabench', 'reviews', `${LLAVABENCH}-${name}.jsonl`),
          ),
        ),
      );
      const asked = await input(
        { kind: 'replay', model: 'gpt-4-0314', recordings: { llavabench }, num_runs: 3 },
        realLlavabench(),
      );

      const { judgements, counts, judge } = await activities.judgeAnswers(asked);

      expect(counts).toMatchObject({ items: 180, judged: 180, missing: 0 });
      expect(judge).toBe('gpt-4-0314 (recorded)');
      for (const [index, name] of files.entries()) {
        const { metrics, unparsed } = await score(asked, judgements, index + 1);
        expect(differences(metrics, expectedOf('llavabench', name))).toEqual([]);
        expect(unparsed).toBe(0);
      }
    });

    it.each([1, 3])(
      'MM-Vet: %i run(s) have the scores of the official script',
      async (num_runs) => {
        const { workspace, input, activities, score } = await judgeWorkspace();
        const grades = `${LLAVABENCH}_gpt-4-grade-${String(num_runs)}runs.json`;
        const mmvet = [await registerSource(workspace, parityPath('mmvet', 'grades', grades))];
        const asked = await input(
          { kind: 'replay', model: 'gpt-4-0613', recordings: { mmvet }, num_runs },
          realMmvet(),
        );

        const { judgements, counts } = await activities.judgeAnswers(asked);

        expect(counts).toMatchObject({ items: 218 * num_runs, judged: 218 * num_runs, missing: 0 });
        const { metrics } = await score(asked, judgements);
        expect(differences(metrics, expectedOf('mmvet', grades))).toEqual([]);
      },
    );

    it.each(['bard', 'llava_llama_2_13b'])('MathVista, %s', async (model) => {
      const { workspace, input, activities, score } = await judgeWorkspace();
      const predictions = parityPath('mathvista', 'predictions', `${model}.json`);
      const mathvista = [await registerSource(workspace, predictions)];
      const replay = { kind: 'replay', model: 'gpt-4-0613', recordings: { mathvista } };
      const official = await input({ ...replay, official_failures: true }, realMathvista(model));
      const asked = await input(replay, realMathvista(model));

      const counted = await activities.judgeAnswers(official);
      const { counts } = await activities.judgeAnswers(asked);

      const { metrics } = await score(official, counted.judgements);
      expect(differences(metrics, expectedOf('mathvista', model))).toEqual([]);
      // Three times GPT-4 declined in its own words, which the script took for what Bard had said.
      expect(counts).toMatchObject({ items: 1000, missing: model === 'bard' ? 3 : 0, by_rules: 0 });
    });
  },
);

describe('a recording', () => {
  it('that lacks an answer leaves it missing', async () => {
    const { workspace, input, activities, judging } = await judgeWorkspace();
    const folder = await mkdtemp(join(tmpdir(), 'sticflow-recording-'));
    await writeFile(join(folder, 'grades.json'), '{"v1_0": {"content": ["0.5"]}}');
    const mmvet = [await registerSource(workspace, join(folder, 'grades.json'))];

    const { judgements, counts } = await activities.judgeAnswers(
      await input(
        { kind: 'replay', model: 'x', recordings: { mmvet } },
        mmvetAnswers(answerTexts(2)),
      ),
    );

    expect(counts).toMatchObject({ judged: 1, missing: 1 });
    expect((await judging(judgements)).missing_by_reason).toEqual({ not_recorded: 1 });
  });

  it('may be the judgements of an earlier judging, and gives the same scores', async () => {
    const { workspace, input, activities, values } = await judgeWorkspace();
    const answers = llavabenchAnswers(answerTexts(2));
    const folder = await mkdtemp(join(tmpdir(), 'sticflow-recording-'));
    const reviews = '{"question_id":0,"content":"8 7\\nfine"}\n{"question_id":1,"content":"9 9"}\n';
    await writeFile(join(folder, 'reviews.jsonl'), reviews);
    const first = await activities.judgeAnswers(
      await input(
        {
          ...{ kind: 'replay', model: 'x' },
          recordings: {
            llavabench: [await registerSource(workspace, join(folder, 'reviews.jsonl'))],
          },
        },
        answers,
      ),
    );
    const made = join(workspace, 'artifacts', 'judgements', first.judgements.key);
    const llavabench = [await registerSource(workspace, join(made, 'judgements.jsonl'))];

    const again = await activities.judgeAnswers(
      await input({ kind: 'replay', model: 'x', recordings: { llavabench } }, answers),
    );

    expect(await values(again.judgements)).toEqual({ 0: [8, 7], 1: [9, 9] });
    expect(await values(first.judgements)).toEqual(await values(again.judgements));
  });
});
