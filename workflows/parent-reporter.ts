/** News from a child workflow to its parent. */
import {
  CancellationScope,
  getExternalWorkflowHandle,
  type SignalDefinition,
  workflowInfo,
} from '@temporalio/workflow';

/**
 * Sends the newest news as a signal, one at a time: what comes up while a signal is under way
 * replaces what waits, so a busy child cannot flood the history of its parent.
 */
export class ParentReporter<T> {
  readonly #signal: SignalDefinition<[T]>;
  #waiting: { readonly news: T } | null = null;
  #sending: Promise<void> | null = null;

  constructor(signal: SignalDefinition<[T]>) {
    this.#signal = signal;
  }

  report(news: T): void {
    this.#waiting = { news };
    this.#sending ??= this.#sendAll();
  }

  /** Resolves when nothing is under way: wait for it before the workflow ends. */
  async settled(): Promise<void> {
    while (this.#sending !== null) await this.#sending;
  }

  async #sendAll(): Promise<void> {
    const parent = workflowInfo().parent;
    while (this.#waiting !== null) {
      const { news } = this.#waiting;
      this.#waiting = null;
      if (parent === undefined) continue;
      const handle = getExternalWorkflowHandle(parent.workflowId);
      try {
        // A cancelled child still says where it stood.
        await CancellationScope.nonCancellable(() => handle.signal(this.#signal, news));
      } catch {
        // The parent is gone; its close policy ends this workflow, so there is nobody to tell.
      }
    }
    this.#sending = null;
  }
}
