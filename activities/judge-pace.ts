/**
 * How fast one server is asked, over all workers of a workspace: time is cut into slots of equal
 * length, and a request takes one by making its file, which only one process can do. A worker that
 * dies wastes its slot and blocks nobody. A pause that a server asks for holds for all workers too.
 *
 * Temporal's limits of a queue count activities, and an activity makes hundreds of requests; hence
 * files, and no limit of the queue.
 */
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { hasErrorCode } from '../store/errors.ts';
import { writeWholeFile } from './whole-file.ts';

const PAUSE = 'paused-until';
/** Slots that lie further back are nobody's any more, also where clocks differ. */
const KEPT_MS = 600_000;

export class Pace {
  readonly #directory: string;
  readonly #slotMs: number | null;
  readonly #mine: number[] = [];
  #last = 0;
  #isSwept = false;

  /** `requestsPerMinute` null: only pauses hold. */
  constructor(directory: string, requestsPerMinute: number | null) {
    this.#directory = directory;
    this.#slotMs = requestsPerMinute === null ? null : 60_000 / requestsPerMinute;
  }

  /** Returns when a request may be sent. @throws the signal's reason */
  async turn(signal: AbortSignal): Promise<void> {
    await this.#unpaused(signal);
    if (this.#slotMs === null) return;
    const slot = await this.#takeSlot(this.#slotMs);
    await wait(slot * this.#slotMs - Date.now(), signal);
    // The server may have asked for a pause since.
    await this.#unpaused(signal);
  }

  /** Nobody asks for so many milliseconds. */
  async pause(milliseconds: number): Promise<void> {
    const until = Math.max(Date.now() + milliseconds, await this.#pausedUntil());
    await writeWholeFile(join(this.#directory, PAUSE), `${String(until)}\n`);
  }

  async #unpaused(signal: AbortSignal): Promise<void> {
    for (;;) {
      const left = (await this.#pausedUntil()) - Date.now();
      if (left <= 0) return;
      await wait(left, signal);
    }
  }

  async #pausedUntil(): Promise<number> {
    try {
      const until = Number(await readFile(join(this.#directory, PAUSE), 'utf8'));
      return Number.isFinite(until) ? until : 0;
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return 0;
      throw error;
    }
  }

  async #takeSlot(slotMs: number): Promise<number> {
    await mkdir(this.#directory, { recursive: true });
    if (!this.#isSwept) await this.#sweep(slotMs);
    let slot = Math.max(Math.ceil(Date.now() / slotMs), this.#last + 1);
    while (!(await isMade(join(this.#directory, String(slot))))) slot += 1;
    this.#last = Math.max(this.#last, slot);
    this.#mine.push(slot);
    while (this.#mine[0] !== undefined && this.#mine[0] * slotMs < Date.now() - KEPT_MS) {
      await rm(join(this.#directory, String(this.#mine.shift())), { force: true });
    }
    return slot;
  }

  /** Slots of workers that are gone. */
  async #sweep(slotMs: number): Promise<void> {
    this.#isSwept = true;
    for (const name of await readdir(this.#directory)) {
      if (Number(name) * slotMs < Date.now() - KEPT_MS) {
        await rm(join(this.#directory, name), { force: true });
      }
    }
  }
}

/** @throws the signal's reason, which for an activity is Temporal's cancellation */
export async function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  if (milliseconds <= 0) return;
  try {
    await setTimeout(milliseconds, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

async function isMade(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx')).close();
    return true;
  } catch (error) {
    if (hasErrorCode(error, 'EEXIST')) return false;
    throw error;
  }
}
