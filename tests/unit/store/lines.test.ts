import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readLines, writeLines } from '../../../store/lines.ts';
import { temporaryDirectory } from './temporary.ts';

async function all<T>(lines: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const line of lines) found.push(line);
  return found;
}

describe('writeLines and readLines', () => {
  it('keep any text whole, line separators inside it included', async () => {
    const path = join(await temporaryDirectory(), 'rows.jsonl');
    const record = fc.record({ text: fc.string({ unit: 'binary' }) });
    await fc.assert(
      fc.asyncProperty(fc.array(record), async (records) => {
        expect(await writeLines(path, records)).toBe(records.length);
        expect(await all(readLines(path, z.json()))).toEqual(records);
      }),
      { numRuns: 25, examples: [[[{ text: 'a\nb\r\nc\u2028d\u2029e\u0085f' }]]] },
    );
  });

  it('write more than a buffer holds, from an async source', async () => {
    const path = join(await temporaryDirectory(), 'rows.jsonl');
    async function* records(): AsyncGenerator<{ text: string }> {
      for (let row = 0; row < 500; row += 1) {
        yield await Promise.resolve({ text: `${row}`.repeat(300) });
      }
    }

    expect(await writeLines(path, records())).toBe(500);
    expect(await all(readLines(path, z.json()))).toHaveLength(500);
  });

  it('fail with the reason when the folder is not there', async () => {
    const path = join(await temporaryDirectory(), 'nowhere', 'rows.jsonl');

    await expect(writeLines(path, [{ a: 1 }])).rejects.toThrow('ENOENT');
    await expect(all(readLines(path, z.json()))).rejects.toThrow('ENOENT');
  });

  it('name the line that is not JSON', async () => {
    const path = join(await temporaryDirectory(), 'rows.jsonl');
    await writeFile(path, '{"a":1}\n{"a":');

    await expect(all(readLines(path, z.json()))).rejects.toThrow(
      'rows.jsonl:2: expected JSON, got "{"a":"',
    );
  });
});
