/** What a script learns from the exit code of every command. */
export const EXIT = {
  done: 0,
  /** A defect of ours. */
  bug: 1,
  /** Wrong usage or config. */
  usage: 2,
  /** Refused: a check of `doctor` failed, or the run's state does not allow it. */
  refused: 3,
  failed: 4,
  cancelled: 5,
  /** The run goes on without this command. */
  stillRunning: 6,
  /** The server, the workers or the workspace cannot be reached. */
  unreachable: 7,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
