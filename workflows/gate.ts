/** The gate that new work passes: closed while the run is paused. */
import { condition } from '@temporalio/workflow';

/** Counts what is running, so that "paused" can be told from "pausing". */
export class Gate {
  readonly #onChange: () => void;
  #closed = false;
  #running = 0;

  /** @param onChange - called after each change of what the gate can be asked. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** True when the gate is closed and everything that had passed it has ended. */
  get atRest(): boolean {
    return this.#closed && this.#running === 0;
  }

  set(closed: boolean): void {
    if (closed === this.#closed) return;
    this.#closed = closed;
    this.#onChange();
  }

  /** Resolves when the gate is open. */
  async opened(): Promise<void> {
    await condition(() => !this.#closed);
  }

  /** Waits until the gate is open, then runs `work`, which a later closing does not interrupt. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    await this.opened();
    this.#running += 1;
    try {
      return await work();
    } finally {
      this.#running -= 1;
      if (this.#closed) this.#onChange();
    }
  }
}
