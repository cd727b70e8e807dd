// A set-up failure that a person can act on: its message is one sentence that names the remedy.

/** Thrown by a set-up step; printed without a stack. */
export class SetupError extends Error {
  name = 'SetupError';
}

const NETWORK =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|network|name resolution|dns error|error sending request|connection refused|no such host|Max retries exceeded|dial tcp/i;
const DISK = /ENOSPC|no space left|disk quota/i;

/**
 * Finds the cause in the output of a failed command and says what to do about it.
 * @param {string} doing what the command was for, as "install the npm packages"
 * @param {{output: string, logPath: string}} failure
 */
export function explainFailure(doing, { output, logPath }) {
  if (DISK.test(output)) {
    return new SetupError(
      `The disk is full, so sticflow could not ${doing}: free some space and run the same command again (output: ${logPath}).`,
    );
  }
  if (NETWORK.test(output)) {
    return new SetupError(
      `The package registry could not be reached to ${doing}: check the network or your configured mirror and run the same command again, finished steps are kept (output: ${logPath}).`,
    );
  }
  return new SetupError(
    `Could not ${doing}: read the reason in ${logPath}, then run the same command again, finished steps are kept.`,
  );
}

/** Runs `work` for a command line: prints the one sentence of a set-up failure and ends with exit code 1. */
export async function orExit(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    process.stderr.write(`setup: ${error.message}\n`);
    process.exit(1);
  }
}
