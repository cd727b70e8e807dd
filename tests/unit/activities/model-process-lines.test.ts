import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LineSplitter, LogTail } from '../../../activities/model-process-lines.ts';

describe('LineSplitter', () => {
  it('gives the same lines however the bytes are cut, also inside a character', () => {
    const line = fc.string({ unit: 'grapheme' }).filter((text) => !/[\n\r]/.test(text));
    fc.assert(
      fc.property(fc.array(line), fc.array(fc.nat(20)), (lines, cuts) => {
        const splitter = new LineSplitter(1000);
        let bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''));
        const found: string[] = [];
        for (const cut of cuts) {
          found.push(...splitter.push(bytes.subarray(0, cut)));
          bytes = bytes.subarray(cut);
        }
        found.push(...splitter.push(bytes));

        expect(found).toEqual(lines);
        expect(splitter.rest()).toBe('');
      }),
    );
  });

  it('keeps a torn line apart', () => {
    const splitter = new LineSplitter(100);

    expect(splitter.push(Buffer.from('whole\ntorn'))).toEqual(['whole']);
    expect(splitter.rest()).toBe('torn');
  });

  it('refuses a line beyond its bound, in one piece or in many', () => {
    expect(() => new LineSplitter(4).push(Buffer.from('12345'))).toThrow('at most 4 bytes');

    const splitter = new LineSplitter(4);
    splitter.push(Buffer.from('123'));
    expect(() => splitter.push(Buffer.from('45\n'))).toThrow('at most 4 bytes');
  });
});

describe('LogTail', () => {
  it('holds the last lines', () => {
    const tail = new LogTail({ maxLines: 2, maxBytes: 100 });

    tail.push(Buffer.from('one\ntwo\nth'));
    tail.push(Buffer.from('ree\n'));

    expect(tail.lines()).toEqual(['two', 'three']);
  });

  it('cuts the oldest line to fit its bytes', () => {
    const tail = new LogTail({ maxLines: 9, maxBytes: 6 });

    tail.push(Buffer.from('abcdef\nxyz\n'));

    expect(tail.lines()).toEqual(['ef', 'xyz']);
  });
});
