/**
 * What a long activity tells while it works: a heartbeat every five seconds by a timer, so that a dead
 * worker is noticed, and an end at the next item when the activity is cancelled.
 */
import { asyncLocalStorage } from '@temporalio/activity';
import type { HeartbeatDetails } from '../contract/activities.ts';

/** A quarter of the heartbeat timeout (workflows/proxies.ts): four beats in a row must be lost. */
const HEARTBEAT_INTERVAL_MS = 5_000;

export interface Progress {
  /** Aborted when the activity is cancelled, paused, timed out or its worker shuts down. */
  readonly signal: AbortSignal;
  /** Begins to count anew, under the name of what is done now. */
  phase(name: string, total: number, unit?: HeartbeatDetails['unit']): void;
  /** Counts one item (or `amount` of the unit); the activity ends here when it was cancelled. */
  advance(amount?: number): void;
  /** Tells what somebody else counts. */
  tell(details: Partial<HeartbeatDetails>): void;
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
  const beat = (): void => context?.heartbeat({ ...details });
  beat();
  const timer = setInterval(beat, HEARTBEAT_INTERVAL_MS);
  try {
    return await work(
      progressOf(details, context?.cancellationSignal ?? new AbortController().signal),
    );
  } finally {
    clearInterval(timer);
  }
}

function progressOf(details: HeartbeatDetails, signal: AbortSignal): Progress {
  return {
    signal,
    phase: (phase, total, unit = 'items') => {
      Object.assign(details, { phase, done: 0, total, unit });
    },
    advance: (amount = 1) => {
      signal.throwIfAborted();
      details.done += amount;
    },
    tell: (told) => {
      Object.assign(details, told);
    },
  };
}
