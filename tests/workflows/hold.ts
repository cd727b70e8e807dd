/** Keeps calls of an activity waiting until a test lets them go, in place of work that takes long. */
import { Context } from '@temporalio/activity';

/** Well below the heartbeat timeout; a cancellation comes back as the answer to a beat. */
const BEAT_MILLISECONDS = 50;

export class Hold {
  readonly #opened = deferred();
  readonly #cleanUp = deferred();
  readonly #arrivals: Arrival[] = [];
  #waiting = 0;
  #cancelled = 0;

  /** @param cleanUp - `held`: a cancelled call goes on until {@link Hold.letCleanUp}. */
  constructor(cleanUp: 'at_once' | 'held') {
    if (cleanUp === 'at_once') this.#cleanUp.resolve();
  }

  /** Resolves when so many calls have come to wait here. */
  async reached(calls = 1): Promise<void> {
    await this.#until(() => this.#waiting >= calls);
  }

  /** Resolves when so many waiting calls were told to stop. */
  async cancelled(calls = 1): Promise<void> {
    await this.#until(() => this.#cancelled >= calls);
  }

  release(): void {
    this.#opened.resolve();
  }

  letCleanUp(): void {
    this.#cleanUp.resolve();
  }

  /** Runs inside an activity. @throws the cancellation, after the clean-up */
  async wait(): Promise<void> {
    const context = Context.current();
    const beat = setInterval(() => {
      context.heartbeat();
    }, BEAT_MILLISECONDS);
    this.#waiting += 1;
    this.#notify();
    try {
      await Promise.race([this.#opened.promise, context.cancelled]);
    } catch (cancellation) {
      this.#cancelled += 1;
      this.#notify();
      await this.#cleanUp.promise;
      throw cancellation;
    } finally {
      clearInterval(beat);
    }
  }

  async #until(isSo: () => boolean): Promise<void> {
    if (isSo()) return;
    const arrival = { isSo, ...deferred() };
    this.#arrivals.push(arrival);
    await arrival.promise;
  }

  #notify(): void {
    for (const { isSo, resolve } of this.#arrivals) if (isSo()) resolve();
  }
}

interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

interface Arrival extends Deferred {
  readonly isSo: () => boolean;
}

function deferred(): Deferred {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
