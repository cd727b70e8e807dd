/**
 * Keys behind the references of a config. They are read where they are used, live in memory only, and
 * are taken out of every text that leaves an activity.
 */
import { readFile, stat } from 'node:fs/promises';
import type { SecretRef } from '../contract/source.ts';
import { hasErrorCode, SticflowError } from '../store/errors.ts';
import { resolveSource } from '../store/sources.ts';

/** Keys are far shorter; what is longer is some other file. */
const MAX_SIZE_BYTES = 4096;
/** Others than the owner must not read it. */
const OPEN_TO_OTHERS = 0o077;
/** What may stand in an HTTP header; also keeps out most files that are no keys. */
const ONE_WORD = /^[\x21-\x7e]+$/;
/** Shorter ones are no secrets ("EMPTY"), and taking them out would damage texts. */
const MIN_REDACTED_CHARS = 8;

/**
 * The text behind `env:NAME`, or in the file behind `source:<id>`.
 *
 * @throws SticflowError `SecretMissing` that names the reference, never what is behind it.
 */
export async function resolveSecret(workspace: string, ref: SecretRef): Promise<string> {
  const [scheme, name = ''] = ref.split(/:(.*)/s);
  const text =
    scheme === 'env'
      ? process.env[name]
      : await readKeyFile(ref, await resolveSource(workspace, ref));
  if (text === undefined || text.trim() === '') {
    throw missing(
      ref,
      'there is none on this worker',
      scheme === 'env'
        ? `Set ${name} where the CPU worker starts, and start the worker again.`
        : 'Put the key there, and nothing else.',
    );
  }
  if (ONE_WORD.test(text.trim())) return text.trim();
  throw missing(ref, 'it holds more than one word', 'It must hold the key and nothing else.');
}

/** Replaces a secret wherever it stands in a text. */
export function redactor(secret: string | null): (text: string) => string {
  if (secret === null || secret.length < MIN_REDACTED_CHARS) return (text) => text;
  return (text) => text.replaceAll(secret, '[key]');
}

async function readKeyFile(ref: SecretRef, path: string): Promise<string> {
  try {
    const file = await stat(path);
    if (!file.isFile() || file.size > MAX_SIZE_BYTES) {
      throw missing(ref, 'it is no small file', 'Name a file that holds the key and nothing else.');
    }
    if ((file.mode & OPEN_TO_OTHERS) !== 0) {
      throw missing(ref, 'other users may read it', `Run chmod 600 ${path}.`);
    }
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (!hasErrorCode(cause, 'ENOENT', 'ENOTDIR', 'EACCES')) throw cause;
    throw missing(ref, 'it cannot be read', 'Put the key there, readable by the worker alone.');
  }
}

function missing(ref: SecretRef, what: string, remedy: string): SticflowError {
  return new SticflowError(
    'SecretMissing',
    `Expected a key at evaluation.judge.api_key (${ref}), and ${what}. ${remedy} What was judged is kept.`,
  );
}
