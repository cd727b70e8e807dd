/**
 * What a long activity tells while it works: a heartbeat every five seconds by a timer, so that a dead
 * worker is noticed, and an end at the next item when the activity is cancelled.
 */
import { asyncLocalStorage, type Context } from '@temporalio/activity';
import type { HeartbeatDetails } from '../contract/activities.ts';

/** A quarter of the heartbeat timeout (workflows/proxies.ts): four beats in a row must be lost. */
const HEARTBEAT_INTERVAL_MS = 5_000;

export interface Progress {
  /** Begins to count anew, under the name of what is done now. */
  phase(name: string, total: number): void;
  /** Counts one item; the activity ends here when it was cancelled. */
  advance(): void;
}

/** Runs `work` and beats for it; outside a worker (in tests) nothing is told. */
export async function withProgress<T>(work: (progress: Progress) => Promise<T>): Promise<T> {
  const context = asyncLocalStorage.getStore();
  const details: HeartbeatDetails = {
    phase: 'starting',
    done: 0,
    total: 0,
    unit: 'items',
    checkpoint_step: null,
    loss: null,
  };
  const beat = (): void => context?.heartbeat(details);
  beat();
  const timer = setInterval(beat, HEARTBEAT_INTERVAL_MS);
  try {
    return await work(progressOf(details, context));
  } finally {
    clearInterval(timer);
  }
}

function progressOf(details: HeartbeatDetails, context: Context | undefined): Progress {
  return {
    phase: (name, total) => {
      Object.assign(details, { phase: name, done: 0, total });
    },
    advance: () => {
      context?.cancellationSignal.throwIfAborted();
      details.done += 1;
    },
  };
}
