/**
 * Replies that led to a judgement, by the hash of all that was asked and how. Shared by the runs of a
 * workspace; one request is made once also when two activities want it at the same time.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { canonicalJson, type JsonObject, sha256Hex } from '../store/canonical.ts';
import { hasErrorCode } from '../store/errors.ts';
import type { GivenReply, JudgeReply } from './judge-interface.ts';
import { writeWholeFile } from './whole-file.ts';

const CachedReply = z.strictObject({
  text: z.string().nullable(),
  finish_reason: z.string().nullable(),
  prompt_tokens: z.int().nullable(),
  completion_tokens: z.int().nullable(),
  served_model: z.string().nullable(),
});

export class ReplyCache {
  readonly #directory: string;
  readonly #underWay = new Map<string, Promise<JudgeReply>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The kept reply to exactly this, else the reply of somebody who is asking it now, else `ask`. */
  async reply(what: JsonObject, ask: () => Promise<JudgeReply>): Promise<GivenReply> {
    const key = keyOf(what);
    for (;;) {
      const kept = await this.#read(key);
      if (kept !== null) return { reply: kept, origin: 'cached' };
      const other = this.#underWay.get(key);
      if (other === undefined) break;
      const reply = await other.catch(() => null);
      // Another's failure, or its cancellation, is not ours.
      if (reply !== null) return { reply, origin: 'cached' };
    }
    const asking = ask();
    this.#underWay.set(key, asking);
    try {
      return { reply: await asking, origin: 'asked' };
    } finally {
      this.#underWay.delete(key);
    }
  }

  async keep(what: JsonObject, reply: JudgeReply): Promise<void> {
    await writeWholeFile(this.#path(keyOf(what)), `${canonicalJson(reply)}\n`);
  }

  async #read(key: string): Promise<JudgeReply | null> {
    let text: string;
    try {
      text = await readFile(this.#path(key), 'utf8');
    } catch (error) {
      if (hasErrorCode(error, 'ENOENT')) return null;
      throw error;
    }
    // A file that the machine lost its power over is asked for again.
    const parsed = CachedReply.safeParse(jsonOrNull(text));
    return parsed.success ? parsed.data : null;
  }

  #path(key: string): string {
    return join(this.#directory, key.slice(0, 2), `${key}.json`);
  }
}

function keyOf(what: JsonObject): string {
  return sha256Hex(canonicalJson(what));
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
