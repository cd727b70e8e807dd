/**
 * Every way an activity can fail by expectation, with what the server should do about it. The
 * model process names the same codes; nothing matches on message text.
 */

export interface FailureRule {
  readonly retryable: boolean;
  /** Milliseconds before the next attempt; null = the retry policy of the activity. */
  readonly nextRetryDelayMs: number | null;
}

const never = { retryable: false, nextRetryDelayMs: null } as const;
const soon = { retryable: true, nextRetryDelayMs: null } as const;

export const FAILURES = {
  /** The config breaks a rule; only the user can mend it. */
  ConfigInvalid: never,
  /** A named source is not registered or not there on this worker. */
  SourceNotFound: never,
  /** The checkpoint folder misses files, holds pickles or remote code, or no class loads it. */
  ModelInvalid: never,
  /** The hub did not answer and nothing is cached. */
  ModelUnreachable: { retryable: true, nextRetryDelayMs: 60_000 },
  /** A generation endpoint did not answer, as often as it was asked. */
  EndpointUnavailable: { retryable: true, nextRetryDelayMs: 60_000 },
  /** An endpoint is not what the config says, or refuses what it is asked. */
  EndpointInvalid: never,
  /** More images are bad than `images.max_bad_ratio` allows. */
  TooManyBadImages: never,
  /** A data file breaks its format, or nothing is left to work on. */
  DataInvalid: never,
  /** An artifact's bytes do not match its manifest. */
  ArtifactDamaged: never,
  /** An artifact that an input names is not in the store. */
  ArtifactMissing: never,
  /** Loss or gradient is not finite; names step and examples. */
  NonFiniteLoss: never,
  /** A sanity alarm of training fired (wrong reference, frozen weights changed). */
  TrainingInvariant: never,
  /** Memory did not suffice, after the batch was halved as often as allowed. */
  OutOfMemory: { retryable: true, nextRetryDelayMs: 60_000 },
  /** Another attempt still holds the work folder. */
  LockHeld: { retryable: true, nextRetryDelayMs: 5_000 },
  /** The model process ended without a result. */
  ModelProcessDied: soon,
  /** The model process lived but made no progress; it was killed. */
  ModelProcessStalled: soon,
  /** One of the processes that train together ended before the others. */
  RankDied: soon,
  /** Another host of a training did not answer, or trains something else; the checkpoint waits. */
  RankHostUnavailable: { retryable: true, nextRetryDelayMs: 30_000 },
  /** Worker and model process speak different protocol versions. */
  ProtocolMismatch: never,
  /** A key that the config names is not there on this worker, or may be read by others. */
  SecretMissing: never,
  /** The judge's server does not take the key, or its account is empty; only the user can mend it. */
  JudgeKeyRejected: never,
  /** The judge's server did not answer, over all retries of an attempt; what was judged is kept. */
  JudgeUnavailable: { retryable: true, nextRetryDelayMs: 60_000 },
  /** No space left on this worker. */
  DiskFull: { retryable: true, nextRetryDelayMs: 60_000 },
  /** A defect of ours: reported with the stack, tried again a few times by the policy. */
  Internal: soon,
} as const satisfies Record<string, FailureRule>;

export type FailureCode = keyof typeof FAILURES;
