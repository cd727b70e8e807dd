/** What can go wrong between a command and a Temporal server, in sentences for a stranger. */

/** The server is out of reach, refuses us, or does not start; the CLI ends with exit code 7. */
export class TemporalServerError extends Error {
  override readonly name = 'TemporalServerError';
  readonly code = 'TemporalServerUnavailable';
}
