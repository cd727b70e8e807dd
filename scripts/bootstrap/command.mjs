// Runs one command of the set-up: output goes to the log file and is kept for finding the cause.
import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/** Enough to find the cause of a failure; the whole of it is in the log. */
const KEPT_CHARACTERS = 200_000;

/**
 * Resolves to the exit code and the output of a command; never rejects because the command failed.
 * A program that is not there counts as exit code 127, as in a shell.
 * @param {string} file
 * @param {readonly string[]} args
 * @param {{cwd: string, logPath: string, env?: NodeJS.ProcessEnv}} options
 * @returns {Promise<{code: number, output: string}>}
 */
export function runCommand(file, args, { cwd, logPath, env = process.env }) {
  mkdirSync(dirname(logPath), { recursive: true });
  const log = createWriteStream(logPath, { flags: 'a' });
  log.write(`\n$ ${file} ${args.join(' ')}\n`);
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk) => {
      log.write(chunk);
      output = (output + chunk.toString()).slice(-KEPT_CHARACTERS);
    };
    const finish = (code) => {
      log.end(() => resolve({ code, output }));
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => {
      keep(Buffer.from(`${error.message}\n`));
      finish(127);
    });
    child.on('close', (code) => finish(code ?? 1));
  });
}
