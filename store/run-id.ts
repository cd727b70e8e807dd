/** The names of runs and studies: the same config has the same one, so that starting it twice attaches. */
import type { ExperimentConfig } from '../contract/config.ts';
import type { StudyRequest } from '../contract/study.ts';
import { canonicalJson, sha256Hex } from './canonical.ts';

/** Enough that two configs of one name do not meet by chance; short enough to type. */
const HASH_DIGITS = 10;

/** `<name>-<first digits of the hash of the whole config>`. */
export function runIdOf(config: ExperimentConfig): string {
  return `${config.name}-${sha256Hex(canonicalJson(config)).slice(0, HASH_DIGITS)}`;
}

/** `<name>-<size>-<first digits of the hash of the whole request>`. */
export function studyIdOf(request: StudyRequest): string {
  const hash = sha256Hex(canonicalJson(request)).slice(0, HASH_DIGITS);
  return `${request.description.name.replaceAll('_', '-')}-${request.size}-${hash}`;
}
