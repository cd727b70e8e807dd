/** The name of a run: the same config has the same one, so that starting it twice attaches. */
import type { ExperimentConfig } from '../contract/config.ts';
import { canonicalJson, sha256Hex } from './canonical.ts';

/** Enough that two configs of one name do not meet by chance; short enough to type. */
const HASH_DIGITS = 10;

/** `<name>-<first digits of the hash of the whole config>`. */
export function runIdOf(config: ExperimentConfig): string {
  return `${config.name}-${sha256Hex(canonicalJson(config)).slice(0, HASH_DIGITS)}`;
}
