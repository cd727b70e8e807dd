/** Where each stage of a round stands. Pure: the caller brings the clock. */
import { STAGES, type Stage } from '../contract/api.ts';
import type { StageStatus } from '../contract/status.ts';

/** So many pieces of news may a stage give rise to, at any number of shards. */
const TICKS_PER_STAGE = 50;

export class StageTable {
  readonly #now: () => number;
  readonly #onNews: () => void;
  readonly #rows = new Map<Stage, StageStatus>();
  readonly #startedAt = new Map<Stage, number>();

  /**
   * @param stages - the rows, in the order of {@link STAGES}.
   * @param now - milliseconds.
   * @param onNews - called when a stage changes its state or is a noticeable step further.
   */
  constructor(stages: readonly Stage[], now: () => number, onNews: () => void) {
    this.#now = now;
    this.#onNews = onNews;
    for (const stage of STAGES) {
      if (stages.includes(stage)) this.#rows.set(stage, waiting(stage));
    }
  }

  snapshot(): StageStatus[] {
    return [...this.#rows.values()];
  }

  skip(stage: Stage, why: string): void {
    this.#set(stage, { state: 'skipped', detail: why });
    this.#onNews();
  }

  begin(stage: Stage, detail = ''): void {
    if (!this.#startedAt.has(stage)) this.#startedAt.set(stage, this.#now());
    this.#set(stage, { state: 'running', detail });
    this.#onNews();
  }

  /** `total` may grow while the size of a stage becomes known; `done` never shrinks. */
  advance(stage: Stage, progress: { readonly done: number; readonly total: number }): void {
    const before = tick(this.#row(stage));
    this.#set(stage, progress);
    if (tick(this.#row(stage)) !== before) this.#onNews();
  }

  end(stage: Stage, detail: string): void {
    const seconds = (this.#now() - (this.#startedAt.get(stage) ?? this.#now())) / 1000;
    const { total } = this.#row(stage);
    this.#set(stage, { state: 'done', done: total, detail, seconds });
    this.#onNews();
  }

  #row(stage: Stage): StageStatus {
    return this.#rows.get(stage) ?? waiting(stage);
  }

  #set(stage: Stage, change: Partial<StageStatus>): void {
    this.#rows.set(stage, { ...this.#row(stage), ...change });
  }
}

function waiting(stage: Stage): StageStatus {
  return { stage, state: 'waiting', done: 0, total: 0, detail: '', seconds: null };
}

function tick({ done, total }: StageStatus): number {
  return total === 0 ? 0 : Math.floor((done * TICKS_PER_STAGE) / total);
}

/** `{ pairs: 12, dropped_empty: 1 }` as "12 pairs, 1 dropped empty", at most `limit` of them. */
export function describeCounts(counts: Readonly<Record<string, number>>, limit = 4): string {
  return Object.entries(counts)
    .slice(0, limit)
    .map(
      ([name, value]) => `${formatNumber(value)} ${name.replace(/^num_/, '').replaceAll('_', ' ')}`,
    )
    .join(', ');
}

function formatNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}
