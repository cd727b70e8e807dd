/** Bytes of pipes as lines, within bounds: a process that never ends its line must not fill memory. */

const NEWLINE = 0x0a;

/** Cuts a stream of bytes into lines; decoding whole lines keeps characters across chunks intact. */
export class LineSplitter {
  readonly #maxBytes: number;
  #rest: Buffer[] = [];
  #restBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * The lines that this chunk completes.
   *
   * @throws RangeError when a line is longer than the bound.
   */
  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#keep(chunk.subarray(start, end));
      lines.push(Buffer.concat(this.#rest).toString('utf8'));
      this.#rest = [];
      this.#restBytes = 0;
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    return lines;
  }

  /** What came after the last newline: a torn line, if any. */
  rest(): string {
    return Buffer.concat(this.#rest).toString('utf8');
  }

  #keep(bytes: Buffer): void {
    this.#restBytes += bytes.length;
    if (this.#restBytes > this.#maxBytes) {
      throw new RangeError(`Expected lines of at most ${this.#maxBytes} bytes`);
    }
    if (bytes.length > 0) this.#rest.push(bytes);
  }
}

/** The end of a log: its last lines, for the message of a failure. */
export class LogTail {
  readonly #maxLines: number;
  readonly #maxBytes: number;
  #text = '';

  constructor({ maxLines, maxBytes }: { readonly maxLines: number; readonly maxBytes: number }) {
    this.#maxLines = maxLines;
    this.#maxBytes = maxBytes;
  }

  push(chunk: Buffer): void {
    this.#text = (this.#text + chunk.toString('utf8')).slice(-2 * this.#maxBytes);
  }

  /** The last lines in full where they fit; the oldest is cut where they do not. */
  lines(): string[] {
    const lines = this.#text.trimEnd().split('\n').slice(-this.#maxLines);
    const text = Buffer.from(lines.join('\n'), 'utf8');
    return text.subarray(-this.#maxBytes).toString('utf8').split('\n');
  }
}
