// Old histories against the built bundle: a change of the workflows that running runs would not survive is red.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { DeterminismViolationError } from '@temporalio/workflow';
import { describe, expect, it } from 'vitest';
import { WORKFLOW_BUNDLE } from './orchestra.ts';
import { RECORDED_RUNS, type RecordedHistory } from './recordings.ts';
import { replay } from './replay.ts';

const FOLDER = fileURLToPath(new URL('../fixtures/histories/', import.meta.url));
const files = readdirSync(FOLDER);

function read(file: string): RecordedHistory[] {
  // Written by recordings.test.ts; whatever else it were, the replay would not take it.
  return JSON.parse(readFileSync(`${FOLDER}${file}`, 'utf8')) as RecordedHistory[];
}

describe('recorded histories', () => {
  it('are there of every kind of run', () => {
    const kinds = Object.keys(RECORDED_RUNS).map((name) => `${name}.json`);
    expect(files.toSorted()).toEqual(kinds.toSorted());
  });

  it.each(files)('replay against the built bundle: %s', async (file) => {
    const recorded = read(file);

    const results = await replay({ codePath: WORKFLOW_BUNDLE }, recorded);

    expect(results.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(results).toHaveLength(recorded.length);
  });
});

describe('a planted change', () => {
  it('of the order of two activities is a determinism violation', async () => {
    const built = readFileSync(WORKFLOW_BUNDLE, 'utf8');
    const code = exchange(built, 'data.resolveModel.', 'data.ingestImages.');
    const [first] = read('two_rounds.json');
    if (first === undefined) throw new Error('the recording begins with the run itself');

    const [result] = await replay({ code }, [first]);

    expect(result?.error).toBeInstanceOf(DeterminismViolationError);
    expect(result?.error?.message).toMatch(
      /resolveModel[\s\S]*ingestImages|ingestImages[\s\S]*resolveModel/,
    );
  });

  it.each(files)('of an activity in the history is a determinism violation: %s', async (file) => {
    const text = JSON.stringify(read(file));
    // An evaluation trains nothing: of it, an activity that all rounds have.
    const planted = text.includes('"trainPreference"') ? '"trainPreference"' : '"publishRound"';
    const changed = text.replaceAll(planted, '"somethingElse"');
    // JSON of the same shape as before.
    const recorded = JSON.parse(changed) as RecordedHistory[];

    const results = await replay({ codePath: WORKFLOW_BUNDLE }, recorded);

    const red = results.filter(({ error }) => error !== undefined);
    expect(red.length).toBeGreaterThan(0);
    for (const { error, workflowId } of red) {
      expect(error).toBeInstanceOf(DeterminismViolationError);
      expect(workflowId).toMatch(/\/round-\d$/);
    }
  });
});

/** The code with two expressions in each other's place. */
function exchange(code: string, one: string, other: string): string {
  if (!code.includes(one) || !code.includes(other)) throw new Error(`no ${one} or ${other} there`);
  return code.replaceAll(one, '\0').replaceAll(other, one).replaceAll('\0', other);
}
