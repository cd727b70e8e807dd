/** What follows from a round: a pure rule on the measured interval. */
import type { Measure } from '../contract/measures.ts';
import type { Decision } from '../contract/status.ts';

/** The paired difference that decides, end of the round minus start. */
export interface DecidingDifference {
  readonly set: string;
  readonly measure: string;
  /** null = one of the two policies was not measured by it. */
  readonly delta: Measure | null;
}

export interface Verdict {
  readonly decision: Decision;
  /** Whether the policy trained in this round is where the next one starts. */
  readonly promoted: boolean;
}

/**
 * A policy that is worse beyond doubt (the whole interval below zero) is dropped for the one the
 * round started from. With `stopWithoutGain` a run ends when a gain is not beyond doubt. Without
 * a measurement the new policy is promoted, as the paper does, and the reason says so.
 *
 * @param difference - null when no evaluation decides.
 */
export function decide(difference: DecidingDifference | null, stopWithoutGain: boolean): Verdict {
  if (difference === null) {
    return promote('promoted without a measurement: no evaluation set decides');
  }
  const { set, measure, delta } = difference;
  if (delta === null) {
    return promote(
      `promoted without a measurement: ${measure} on ${set} was not measured for both the start and the end of the round`,
    );
  }
  const figures = `${measure} on ${set} changed by ${signed(delta.value)} (95 % interval ${signed(delta.low)} to ${signed(delta.high)}, n = ${String(delta.n)})`;
  const worse = delta.high < 0;
  if (stopWithoutGain && delta.low <= 0) {
    const kept = worse ? 'the policy of its start is kept' : 'its policy is kept';
    const reason = `${figures}: no gain beyond doubt, the run stops after this round and ${kept}`;
    return { decision: { action: 'stop', reason }, promoted: !worse };
  }
  if (worse) {
    const reason = `${figures}: worse beyond doubt, the policy of the round's start is kept`;
    return { decision: { action: 'keep', reason }, promoted: false };
  }
  return promote(`${figures}: not worse beyond doubt, promoted`);
}

function promote(reason: string): Verdict {
  return { decision: { action: 'promote', reason }, promoted: true };
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(4)}`;
}
