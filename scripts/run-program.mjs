// Runs a program in the foreground for the scripts beside this file.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Resolves to the exit code of a program that shares our terminal. A signal to us goes to it: it cleans up
 * in its own way and we end as it ended.
 * @param {string} file
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {Promise<number>}
 */
export function runProgram(file, args, options = {}) {
  const child = spawn(file, args, { stdio: 'inherit', ...options });
  // Ctrl-C reaches the whole foreground group by itself; passing it on as well would be a second Ctrl-C.
  const pass = (signal) => (signal === 'SIGINT' ? undefined : child.kill(signal));
  for (const signal of SIGNALS) process.on(signal, pass);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      for (const name of SIGNALS) process.off(name, pass);
      resolve(code ?? 128 + constants.signals[signal]);
    });
  });
}
