/** Process groups: a model process and whatever it starts are one group and end together. */

const live = new Set<number>();

// The last resort for an exit that nobody cleaned up for. kill -9 of the worker does not come here:
// there the closed stdin ends the model process.
process.on('exit', () => {
  for (const group of live) signalGroup(group, 'SIGKILL');
});

/** Remembers a group until {@link forgetGroup}, so that it cannot outlive this process. */
export function rememberGroup(group: number): void {
  live.add(group);
}

export function forgetGroup(group: number): void {
  live.delete(group);
}

/** Signals every process of a group; a group that is gone is no error. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
