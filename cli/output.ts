/**
 * Where a command's words go. Answers go to stdout, everything on the way to stderr; with `--json`
 * stdout carries one document and nothing else.
 */
import { EXIT, type ExitCode } from './exit-codes.ts';

/** A stream that text is written to; `process.stdout` and `process.stderr` are. */
export interface TextStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** The outside of a command. Tests pass streams that they can read. */
export interface Io {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly env: NodeJS.ProcessEnv;
}

/** What a command ends with. */
export interface Outcome {
  /** The document of `--json`, snake_case. */
  readonly document: unknown;
  /** The same for people. */
  readonly text: string;
  readonly exitCode?: ExitCode;
}

/** Prints the answer in the form that was asked for. */
export function printOutcome(io: Io, outcome: Outcome, form: 'json' | 'text'): ExitCode {
  if (form === 'json') io.stdout.write(`${JSON.stringify(outcome.document, null, 2)}\n`);
  else if (outcome.text !== '') io.stdout.write(`${outcome.text}\n`);
  return outcome.exitCode ?? EXIT.done;
}

/** A line about what goes on, on stderr. */
export function say(io: Io, line: string): void {
  io.stderr.write(`${line}\n`);
}

type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan';

const CODES: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  green: [32, 39],
  red: [31, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

export type Paint = (style: Style, text: string) => string;

/** Colours on a terminal only; `NO_COLOR` and `FORCE_COLOR` as on no-color.org and force-color.org. */
export function painter(stream: TextStream, env: NodeJS.ProcessEnv): Paint {
  const isForced = (env['FORCE_COLOR'] ?? '') !== '' && env['FORCE_COLOR'] !== '0';
  const isForbidden = (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  if (!isForced && (isForbidden || stream.isTTY !== true)) return (_, text) => text;
  return (style, text) => {
    const [open, close] = CODES[style];
    return `\u001b[${open}m${text}\u001b[${close}m`;
  };
}

/** Columns of equal width, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (sofar, row) => row.map((cell, column) => Math.max(cell.length, sofar[column] ?? 0)),
    [],
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `0.0312`, `<0.0001`. */
export function pValue(p: number): string {
  return p < 0.0001 ? '<0.0001' : p.toFixed(4);
}

/** `9 s`, `4 min 10 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
