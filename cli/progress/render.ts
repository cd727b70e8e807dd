/** Progress as text: a block that redraws itself on a terminal, plain lines elsewhere. */
import type { RunStatus } from '../../contract/status.ts';
import { duration, type Io, type Paint, painter } from '../output.ts';
import type { StageView } from './meter.ts';

/** Seconds between two plain lines of one stage. */
const PLAIN_INTERVAL_SECONDS = 10;
const BAR_WIDTH = 20;

/** Shows a run; `note` is for what happens around it, such as a server that is away. */
export interface ProgressView {
  update(status: RunStatus, stages: readonly StageView[], at: number): void;
  note(text: string): void;
  /** Leaves what is shown and stops redrawing. */
  end(): void;
}

/** The view that fits the stream: live on a terminal, lines in a file, a pipe or CI. */
export function progressView(io: Io): ProgressView {
  const paint = painter(io.stderr, io.env);
  const isTerminal = io.stderr.isTTY === true && io.env['TERM'] !== 'dumb';
  return isTerminal ? new LiveView(io, paint) : new PlainView(io);
}

class LiveView implements ProgressView {
  readonly #io: Io;
  readonly #paint: Paint;
  #height = 0;
  #note = '';

  constructor(io: Io, paint: Paint) {
    this.#io = io;
    this.#paint = paint;
  }

  update(status: RunStatus, stages: readonly StageView[]): void {
    this.#note = '';
    this.#draw([headline(status, this.#paint), ...stages.map((view) => this.#line(view))]);
  }

  note(text: string): void {
    if (text === this.#note) return;
    this.#note = text;
    this.#height = 0;
    this.#io.stderr.write(`${this.#paint('yellow', text)}\n`);
  }

  end(): void {
    this.#height = 0;
  }

  #draw(lines: readonly string[]): void {
    const up = this.#height === 0 ? '' : `\u001b[${String(this.#height)}A\r\u001b[0J`;
    this.#io.stderr.write(`${up}${lines.join('\n')}\n`);
    this.#height = lines.length;
  }

  #line(view: StageView): string {
    const name = view.stage.padEnd(20);
    switch (view.state) {
      case 'done': {
        const facts = [view.detail, view.seconds === null ? '' : duration(view.seconds)];
        return `  ${this.#paint('green', '✔')} ${name}${this.#paint('dim', join(facts, ' · '))}`;
      }
      case 'running': {
        const text = join([bar(view.fraction), stageFacts(view)], ' ');
        // A line that wraps would break the redrawing, which counts lines.
        return cut(`  ${this.#paint('cyan', '▸')} ${name}${text}`, this.#io.stderr.columns ?? 80);
      }
      case 'skipped':
        return this.#paint('dim', `  - ${name}skipped`);
      case 'waiting':
        return this.#paint('dim', `  · ${name}`.trimEnd());
    }
  }
}

class PlainView implements ProgressView {
  readonly #io: Io;
  #printed = new Map<string, { state: string; at: number }>();
  #state = '';
  #note = '';

  constructor(io: Io) {
    this.#io = io;
  }

  update(status: RunStatus, stages: readonly StageView[], at: number): void {
    this.#note = '';
    const headText = headline(status, (_, text) => text);
    if (headText !== this.#state) this.#write(headText);
    this.#state = headText;
    for (const view of stages) {
      const key = `${String(status.round)}/${view.stage}`;
      const last = this.#printed.get(key);
      const isNews = view.state !== (last?.state ?? 'waiting');
      const isDue = view.state === 'running' && at - (last?.at ?? at) >= PLAIN_INTERVAL_SECONDS;
      if (!isNews && !isDue) continue;
      this.#printed.set(key, { state: view.state, at });
      this.#write(`round ${String(status.round)} · ${view.stage} · ${plainFacts(view)}`);
    }
  }

  note(text: string): void {
    if (text !== this.#note) this.#write(text);
    this.#note = text;
  }

  end(): void {
    this.#printed = new Map();
  }

  #write(line: string): void {
    this.#io.stderr.write(`${line}\n`);
  }
}

function headline(status: RunStatus, paint: Paint): string {
  const round =
    status.round === 0 ? 'preparing' : `round ${String(status.round)} of ${String(status.rounds)}`;
  return join([`run ${paint('bold', status.run_id)}`, round, status.state, status.message], ' · ');
}

function plainFacts(view: StageView): string {
  if (view.state === 'done') {
    const seconds = view.seconds === null ? 'done' : `done in ${duration(view.seconds)}`;
    return join([seconds, view.detail], ', ');
  }
  return view.state === 'running' ? stageFacts(view) || 'running' : view.state;
}

function stageFacts(view: StageView): string {
  return join(
    [
      view.count,
      view.rate,
      view.loss === null ? '' : `loss ${view.loss.toPrecision(3)}`,
      view.retries === 0
        ? ''
        : `${String(view.retries)} ${view.retries === 1 ? 'retry' : 'retries'}`,
      view.secondsLeft === null ? '' : `about ${duration(view.secondsLeft)} left`,
    ],
    ' · ',
  );
}

function bar(fraction: number | null): string {
  if (fraction === null) return '';
  const full = Math.round(fraction * BAR_WIDTH);
  return '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full);
}

/** Cuts to a width; colour codes before the name take none. */
function cut(line: string, columns: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes begin with one
  const width = line.replace(/\u001b\[\d+m/g, '').length;
  return width < columns ? line : `${line.slice(0, line.length - (width - columns) - 2)}…`;
}

function join(parts: readonly string[], separator: string): string {
  return parts.filter((part) => part !== '').join(separator);
}
