/**
 * The elements of a JSON array, or the lines of a JSONL file, one at a time: LLaVA's instruction file
 * has 1 GB, more than a JavaScript string can hold. Only finds where elements begin and end; parsing
 * them is the caller's, so that a broken one does not end the reading.
 */
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { SticflowError } from '../store/errors.ts';

export interface JsonElement {
  /** Counts from 0. */
  readonly index: number;
  readonly bytes: Buffer;
  /** Of its first byte in the file: `bytes` can be read again from there. */
  readonly offset: number;
}

/** A longer element is data in the wrong place, or a bracket that was never closed. */
const MAX_ELEMENT_BYTES = 64 * 1024 * 1024;

/**
 * Reads a file that ends in `.json` (one array) or any other (one value a line) element by element.
 *
 * @throws SticflowError `DataInvalid` when a `.json` file is not one array or ends in the middle of
 * it, or when an element is longer than 64 MiB.
 */
export async function* readJsonElements(
  path: string,
): AsyncGenerator<JsonElement, void, undefined> {
  const scanner = path.endsWith('.json') ? new ArrayScanner() : new LineScanner();
  const assembler = new Assembler();
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    try {
      // A stream without an encoding yields buffers; its type says `any`.
      yield* assembler.feed(chunk as Buffer, scanner);
    } catch (error) {
      throw error instanceof SyntaxError ? invalid(path, error) : error;
    }
  }
  yield* assembler.flush();
  const complaint = scanner.atEnd();
  if (complaint !== null) throw invalid(path, new SyntaxError(complaint));
}

function invalid(path: string, error: SyntaxError): SticflowError {
  return new SticflowError('DataInvalid', `${basename(path)}: ${error.message}`, { cause: error });
}

const TAB = 0x09;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

const isSpace = (byte: number): boolean =>
  byte === SPACE || byte === NEWLINE || byte === RETURN || byte === TAB;

interface Scanner {
  /** `between` ends an element that has begun, and is no part of the next. */
  place(byte: number): 'inside' | 'between';
  /** What is wrong when the file ends here. */
  atEnd(): string | null;
}

class LineScanner implements Scanner {
  place(byte: number): 'inside' | 'between' {
    return byte === NEWLINE ? 'between' : 'inside';
  }

  atEnd(): null {
    return null;
  }
}

class ArrayScanner implements Scanner {
  #state: 'before' | 'array' | 'string' | 'escape' | 'after' = 'before';
  /** Open brackets, the outermost included. */
  #depth = 0;

  place(byte: number): 'inside' | 'between' {
    switch (this.#state) {
      case 'escape':
        this.#state = 'string';
        return 'inside';
      case 'string':
        if (byte === BACKSLASH) this.#state = 'escape';
        else if (byte === QUOTE) this.#state = 'array';
        return 'inside';
      case 'array':
        return this.#inArray(byte);
      case 'before':
      case 'after':
        return this.#aroundArray(byte);
    }
  }

  #inArray(byte: number): 'inside' | 'between' {
    if (byte === QUOTE) this.#state = 'string';
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) this.#depth += 1;
    else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
      this.#depth -= 1;
      if (this.#depth === 0) {
        this.#state = 'after';
        return 'between';
      }
    } else if (byte === COMMA && this.#depth === 1) return 'between';
    return 'inside';
  }

  #aroundArray(byte: number): 'between' {
    if (this.#state === 'before' && byte === OPEN_ARRAY) {
      this.#state = 'array';
      this.#depth = 1;
    } else if (!isSpace(byte)) {
      const where = this.#state === 'before' ? 'at the beginning' : 'after the end of the list';
      throw new SyntaxError(
        `expected a JSON list, got ${JSON.stringify(String.fromCharCode(byte))} ${where}. A file of one value a line is named .jsonl.`,
      );
    }
    return 'between';
  }

  atEnd(): string | null {
    if (this.#state === 'after') return null;
    return this.#state === 'before'
      ? 'expected a JSON list, got an empty file'
      : 'it ends in the middle of the list; it was probably cut off while it was copied';
  }
}

/** Puts elements together that lie across chunks. */
class Assembler {
  #pieces: Buffer[] = [];
  #length = 0;
  #offset = 0;
  #index = 0;
  #position = 0;

  *feed(chunk: Buffer, scanner: Scanner): Generator<JsonElement> {
    let start = this.#length > 0 ? 0 : -1;
    // A byte order mark is no part of the text.
    const first =
      this.#position === 0 && chunk.subarray(0, 3).toString('latin1') === '\xef\xbb\xbf' ? 3 : 0;
    for (let place = first; place < chunk.length; place += 1) {
      const byte = chunk.readUInt8(place);
      if (scanner.place(byte) === 'inside') {
        if (start === -1 && !isSpace(byte)) {
          start = place;
          this.#offset = this.#position + place;
        }
      } else if (start !== -1) {
        this.#add(chunk.subarray(start, place));
        start = -1;
        yield* this.flush();
      }
    }
    if (start !== -1) this.#add(chunk.subarray(start));
    this.#position += chunk.length;
  }

  *flush(): Generator<JsonElement> {
    if (this.#length === 0) return;
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#length = 0;
    yield { index: this.#index, bytes, offset: this.#offset };
    this.#index += 1;
  }

  #add(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#length > MAX_ELEMENT_BYTES) {
      throw new SyntaxError(
        `element ${this.#index} is longer than ${MAX_ELEMENT_BYTES} bytes; probably a bracket or quote is not closed`,
      );
    }
  }
}
