/**
 * All answers of a benchmark before a judge, several at a time. What came of an answer is on the disk
 * before the next one is taken, so that a pass goes on where an earlier attempt ended.
 */
import type { JudgeTask } from '../benchmarks/judging/judging.ts';
import type { Judgement, MissingReason } from '../contract/judgements.ts';
import { SticflowError } from '../store/errors.ts';
import { type JudgedHow, judgeAnswer, unjudged } from './judge-answer.ts';
import { NoReply } from './judge-interface.ts';
import type { Progress } from './progress.ts';

/** A server that leaves so many answers in a row without a reply is down; asking on is no use. */
const DOWN_AFTER = 5;
/** A server that takes none of the first so many requests does not take any. */
const REJECTS_AFTER = 5;

/** Reasons that a later attempt may do away with, or that cost nothing to find again. */
const NOT_KEPT: readonly MissingReason[] = ['unavailable', 'spending_cap', 'rejected'];

export interface Pass extends Omit<JudgedHow, 'signal'> {
  readonly tasks: readonly JudgeTask[];
  readonly num_runs: number;
  readonly max_parallel: number;
  /** Of earlier attempts. */
  readonly done: readonly Judgement[];
  readonly record: (judgement: Judgement) => Promise<void>;
}

export interface Passed {
  /** One for each task and run, in their order. */
  readonly judgements: readonly Judgement[];
  /** Judged without a request, in this attempt. */
  readonly num_cached: number;
  /** Why answers have no reply, in the server's words; null where all have one. */
  readonly last_fault: string | null;
}

/** @throws SticflowError where no answer will get a reply until a person has acted. */
export async function judgeAll(pass: Pass, progress: Progress): Promise<Passed> {
  const wanted = pass.tasks.flatMap((task) =>
    Array.from({ length: pass.num_runs }, (_, index) => ({ task, run: index + 1 })),
  );
  const state = new PassState(pass, progress);
  progress.phase('judging', wanted.length);
  const open = wanted.filter(({ task, run }) => !state.isDone(task.item_id, run));
  progress.advance(wanted.length - open.length);
  const queue = open.values();
  const works = Array.from({ length: pass.max_parallel }, async () => {
    for (const { task, run } of queue) {
      if (state.ended !== null) return;
      await state.judge(task, run);
    }
  });
  // All of them come to rest before a failure ends the attempt: their replies are paid for.
  const failed = (await Promise.allSettled(works)).find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
  return {
    judgements: wanted.map(({ task, run }) => state.outcome(task.item_id, run)),
    num_cached: state.numCached,
    last_fault: state.lastFault,
  };
}

class PassState {
  readonly #pass: Pass;
  readonly #progress: Progress;
  readonly #outcomes = new Map<string, Judgement>();
  numCached = 0;
  lastFault: string | null = null;
  /** Reason for which no further answer is taken. */
  ended: MissingReason | 'failed' | null = null;
  #unavailableInARow = 0;
  #rejected = 0;
  #hasReply: boolean;

  constructor(pass: Pass, progress: Progress) {
    this.#pass = pass;
    this.#progress = progress;
    for (const judgement of pass.done) {
      this.#outcomes.set(placeOf(judgement.item_id, judgement.run), judgement);
    }
    this.#hasReply = pass.done.length > 0;
  }

  isDone(itemId: string, run: number): boolean {
    return this.#outcomes.has(placeOf(itemId, run));
  }

  outcome(itemId: string, run: number): Judgement {
    const reason = this.ended === null || this.ended === 'failed' ? 'unavailable' : this.ended;
    return this.#outcomes.get(placeOf(itemId, run)) ?? unjudged(itemId, run, reason);
  }

  async judge(task: JudgeTask, run: number): Promise<void> {
    try {
      const { signal } = this.#progress;
      const { judgement, isCached } = await judgeAnswer(task, run, { ...this.#pass, signal });
      this.#unavailableInARow = 0;
      this.#hasReply = true;
      if (isCached) this.numCached += 1;
      await this.#note(judgement);
    } catch (error) {
      if (!(error instanceof NoReply)) {
        this.ended = 'failed';
        throw error;
      }
      this.#endAfter(error);
      await this.#note(unjudged(task.item_id, run, error.reason));
    }
    this.#progress.advance();
  }

  async #note(judgement: Judgement): Promise<void> {
    this.#outcomes.set(placeOf(judgement.item_id, judgement.run), judgement);
    const isFinal = judgement.missing === null || !NOT_KEPT.includes(judgement.missing);
    if (isFinal) await this.#pass.record(judgement);
  }

  #endAfter({ reason, message }: NoReply): void {
    this.lastFault = message;
    if (reason === 'spending_cap') this.ended = reason;
    if (reason === 'unavailable') {
      this.#unavailableInARow += 1;
      if (this.#unavailableInARow >= DOWN_AFTER) this.ended = reason;
    }
    if (reason !== 'rejected' || this.#hasReply) return;
    this.#rejected += 1;
    if (this.#rejected < REJECTS_AFTER) return;
    this.ended = 'failed';
    throw new SticflowError(
      'ConfigInvalid',
      `Expected the judge's server to take requests as evaluation.judge has them, and it took none of the first ${this.#rejected}: ${message}. Mend model, temperature, max_reply_tokens or limit_parameter.`,
    );
  }
}

function placeOf(itemId: string, run: number): string {
  return `${String(run)}/${itemId}`;
}
