/**
 * What the judging of one config has cost, over all its activities and workers, and the cap on it. A
 * request is allowed only when even its dearest outcome stays below the cap. What a server charges for
 * replies that never came, it does not tell; that is not in the books.
 */
import { z } from 'zod';
import type { JudgePrompt } from '../benchmarks/judging/judging.ts';
import type { OpenaiJudge } from '../contract/config-judge.ts';
import { appendRecord, readRecords } from '../store/append.ts';
import type { JudgeReply } from './judge-interface.ts';
import { NoReply } from './judge-interface.ts';

const Spent = z.strictObject({
  prompt_tokens: z.int().nonnegative(),
  completion_tokens: z.int().nonnegative(),
});
type Spent = z.infer<typeof Spent>;

const PER_PRICE = 1_000_000;
/** What chat templates put around a message, at most. */
const TOKENS_AROUND_MESSAGE = 16;

export class Spending {
  readonly #path: string;
  readonly #caps: OpenaiJudge['spending'];
  /** The dearest outcome of the requests that this process has under way. */
  readonly #reserved = new Set<Spent>();
  #numReleased = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(path: string, caps: OpenaiJudge['spending']) {
    this.#path = path;
    this.#caps = caps;
  }

  /**
   * Runs one request and books what it cost. Near the cap, requests go one after another.
   *
   * @throws NoReply `spending_cap`, before anything is sent.
   */
  async book(prompt: JudgePrompt, ask: () => Promise<JudgeReply>): Promise<JudgeReply> {
    const worst = dearest(prompt);
    await this.#reserve(worst);
    try {
      const reply = await ask();
      await appendRecord(this.#path, {
        // A server that does not count leaves the dearest outcome to be assumed.
        prompt_tokens: reply.prompt_tokens ?? worst.prompt_tokens,
        completion_tokens: reply.completion_tokens ?? worst.completion_tokens,
      } satisfies Spent);
      return reply;
    } finally {
      this.#reserved.delete(worst);
      this.#numReleased += 1;
      for (const look of this.#waiting.splice(0)) look();
    }
  }

  async #reserve(worst: Spent): Promise<void> {
    for (;;) {
      const seen = this.#numReleased;
      const booked = await readRecords(this.#path, Spent);
      // What was booked during the reading is in neither list.
      if (seen !== this.#numReleased) continue;
      const refusal = this.#refusal([...booked, ...this.#reserved, worst]);
      if (refusal === null) {
        this.#reserved.add(worst);
        return;
      }
      if (this.#reserved.size === 0) throw new NoReply('spending_cap', refusal);
      // What is under way will most likely cost less than it may.
      await new Promise<void>((look) => {
        this.#waiting.push(look);
      });
    }
  }

  /** Why so much must not be spent; null when it may. */
  #refusal(all: readonly Spent[]): string | null {
    const { max_tokens, max_money, prices } = this.#caps;
    const prompt = all.reduce((sum, each) => sum + each.prompt_tokens, 0);
    const completion = all.reduce((sum, each) => sum + each.completion_tokens, 0);
    const tokens = prompt + completion;
    if (max_tokens !== null && tokens > max_tokens) {
      return `evaluation.judge.spending.max_tokens is ${max_tokens}, and the next request may take the sum to ${tokens}`;
    }
    if (max_money === null || prices === null) return null;
    const money = (prompt * prices.prompt + completion * prices.completion) / PER_PRICE;
    return money > max_money
      ? `evaluation.judge.spending.max_money is ${max_money}, and the next request may take the sum to ${money.toFixed(4)}`
      : null;
  }
}

/** A token is at least one byte of text; a reply is cut at its limit. */
function dearest({ messages, max_reply_tokens }: JudgePrompt): Spent {
  const bytes = messages.reduce(
    (sum, { content }) => sum + Buffer.byteLength(content) + TOKENS_AROUND_MESSAGE,
    0,
  );
  return { prompt_tokens: bytes, completion_tokens: max_reply_tokens };
}
