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

  constructor(path: string, caps: OpenaiJudge['spending']) {
    this.#path = path;
    this.#caps = caps;
  }

  /**
   * Runs one request and books what it cost.
   *
   * @throws NoReply `spending_cap`, before anything is sent.
   */
  async book(prompt: JudgePrompt, ask: () => Promise<JudgeReply>): Promise<JudgeReply> {
    const worst = dearest(prompt);
    const isCapped = this.#caps.max_tokens !== null || this.#caps.max_money !== null;
    // Reserved before the books are read: of two requests at once both must count.
    this.#reserved.add(worst);
    try {
      if (isCapped) this.#allow(await readRecords(this.#path, Spent));
      const reply = await ask();
      await appendRecord(this.#path, {
        // A server that does not count leaves the dearest outcome to be assumed.
        prompt_tokens: reply.prompt_tokens ?? worst.prompt_tokens,
        completion_tokens: reply.completion_tokens ?? worst.completion_tokens,
      } satisfies Spent);
      return reply;
    } finally {
      this.#reserved.delete(worst);
    }
  }

  #allow(booked: readonly Spent[]): void {
    const { max_tokens, max_money, prices } = this.#caps;
    const all = [...booked, ...this.#reserved];
    const spent = {
      prompt_tokens: all.reduce((sum, each) => sum + each.prompt_tokens, 0),
      completion_tokens: all.reduce((sum, each) => sum + each.completion_tokens, 0),
    };
    const tokens = spent.prompt_tokens + spent.completion_tokens;
    if (max_tokens !== null && tokens > max_tokens) {
      throw new NoReply(
        'spending_cap',
        `evaluation.judge.spending.max_tokens is ${max_tokens}, and the next request may take the sum to ${tokens}`,
      );
    }
    if (max_money === null || prices === null) return;
    const money =
      (spent.prompt_tokens * prices.prompt + spent.completion_tokens * prices.completion) /
      PER_PRICE;
    if (money > max_money) {
      throw new NoReply(
        'spending_cap',
        `evaluation.judge.spending.max_money is ${max_money}, and the next request may take the sum to ${money.toFixed(4)}`,
      );
    }
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
