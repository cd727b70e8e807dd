import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../../../scripts/bootstrap/command.mjs';
import { npmPackages } from '../../../scripts/bootstrap/npm-packages.mjs';
import { pythonEnvironment } from '../../../scripts/bootstrap/python-environment.mjs';
import { explainFailure, SetupError } from '../../../scripts/bootstrap/setup-error.mjs';
import { hashFiles, stampIs, writeStamp } from '../../../scripts/bootstrap/stamp.mjs';
import { runSteps } from '../../../scripts/bootstrap/steps.mjs';
import { isolatedPath, temporaryFolder, writeProgram } from '../../setup/programs.ts';

/** What a person would see. */
function screen() {
  let text = '';
  const out = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  return { out, read: () => text };
}

function stepNamed(name: string, state: { done: boolean; runs: number }) {
  return {
    name,
    doing: 'working',
    isDone: () => state.done,
    run: () => {
      state.runs += 1;
      state.done = true;
      return Promise.resolve();
    },
  };
}

describe('runSteps', () => {
  it('runs what is not done, once, with one line and its duration', async () => {
    const first = { done: true, runs: 0 };
    const second = { done: false, runs: 0 };
    const { out, read } = screen();
    const steps = [stepNamed('first', first), stepNamed('second', second)];

    await runSteps(steps, out);
    await runSteps(steps, out);

    expect([first.runs, second.runs]).toEqual([0, 1]);
    expect(read()).toMatch(/^setup: second: working \.\.\. done in \d+\.\d s$/m);
    expect(read()).not.toContain('first');
    expect(read()).toMatch(/setup: ready in \d+\.\d s \(2 of 2 steps were\)\n$/);
  });

  it('refuses before anything is installed when a later step cannot work', async () => {
    const first = { done: false, runs: 0 };
    const { out } = screen();
    const refusing = {
      ...stepNamed('second', { done: false, runs: 0 }),
      check: () => {
        throw new SetupError('no Python');
      },
    };

    await expect(runSteps([stepNamed('first', first), refusing], out)).rejects.toThrow('no Python');

    expect(first.runs).toBe(0);
  });

  it('keeps finished steps when a later one fails', async () => {
    const first = { done: false, runs: 0 };
    const { out, read } = screen();
    const failing = {
      ...stepNamed('second', { done: false, runs: 0 }),
      run: () => Promise.reject(new SetupError('no network')),
    };

    await expect(runSteps([stepNamed('first', first), failing], out)).rejects.toThrow('no network');

    expect(first.done).toBe(true);
    expect(read()).toContain('setup: second: working ... failed\n');
  });
});

describe('stamps', () => {
  it('change with names, bytes and facts of what they vouch for', () => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'sources', 'deep'), { recursive: true });
    const file = join(root, 'sources', 'deep', 'a.ts');
    const hash = (extra: string[] = []) => hashFiles(root, [join(root, 'sources')], { extra });
    writeFileSync(file, 'one');
    const before = hash();

    writeFileSync(file, 'two');
    const changed = hash();
    writeFileSync(file, 'one');
    const again = hash();
    writeFileSync(join(root, 'sources', 'b.ts'), '');

    expect(changed).not.toBe(before);
    expect(again).toBe(before);
    expect(hash()).not.toBe(before);
    expect(hash(['node 22'])).not.toBe(hash(['node 20']));
  });

  it('vouch for exactly one value', () => {
    const path = join(temporaryFolder(), 'node_modules', '.stamp');
    expect(stampIs(path, 'abc')).toBe(false);

    writeStamp(path, 'abc');

    expect(stampIs(path, 'abc')).toBe(true);
    expect(stampIs(path, 'abd')).toBe(false);
    expect(readdirSync(join(path, '..'))).toEqual(['.stamp']);
  });
});

describe('explainFailure', () => {
  it.each([
    ['npm error code ENOSPC', 'The disk is full'],
    ['npm error network request failed, reason: getaddrinfo ENOTFOUND', 'could not be reached'],
    ['error: Failed to fetch: dns error: failed to lookup address', 'could not be reached'],
    [
      'WARNING: Retrying after connection broken: Temporary failure in name resolution',
      'could not be reached',
    ],
    ['go: dial tcp: lookup: no such host', 'could not be reached'],
    ['hash mismatch', 'read the reason in setup.log'],
  ])('names the remedy for "%s"', (output, sentence) => {
    const error = explainFailure('install the npm packages', { output, logPath: 'setup.log' });

    expect(error).toBeInstanceOf(SetupError);
    expect(error.message).toContain(sentence);
    expect(error.message).toContain('install the npm packages');
    expect(error.message.split('\n')).toHaveLength(1);
  });
});

describe('runCommand', () => {
  it('answers 127 for a program that is not there, and keeps a log of all commands', async () => {
    const folder = temporaryFolder();
    const logPath = join(folder, 'logs', 'log');

    const missing = await runCommand('no-such-program', ['x'], { cwd: folder, logPath });
    const found = await runCommand('echo', ['hello'], { cwd: folder, logPath });

    expect(missing.code).toBe(127);
    expect(found).toMatchObject({ code: 0, output: 'hello\n' });
    expect(readFileSync(logPath, 'utf8')).toMatch(
      /\$ no-such-program x\n[\s\S]*\$ echo hello\nhello/,
    );
  });
});

describe('the npm step', () => {
  function tree(npm: string) {
    const root = temporaryFolder();
    writeFileSync(join(root, 'package-lock.json'), '{}');
    writeFileSync(join(root, 'npm.js'), npm);
    const step = npmPackages({
      root,
      logPath: join(root, 'log'),
      env: { ...process.env, npm_execpath: join(root, 'npm.js') },
    });
    return { root, step };
  }

  const WORKING = `
    const fs = require('node:fs');
    fs.rmSync('node_modules', { recursive: true, force: true });
    fs.mkdirSync('node_modules');
    fs.writeFileSync('node_modules/arguments', process.argv.slice(2).join(' '));`;

  it('installs by the lock, and again only when the lock changed', async () => {
    const { root, step } = tree(WORKING);
    expect(step.isDone()).toBe(false);

    await step.run();

    expect(readFileSync(join(root, 'node_modules/arguments'), 'utf8')).toMatch(/^ci --include=dev/);
    expect(step.isDone()).toBe(true);
    writeFileSync(join(root, 'package-lock.json'), '{"changed": true}');
    expect(step.isDone()).toBe(false);
  });

  it('is not done any more when somebody deletes node_modules', async () => {
    const { root, step } = tree(WORKING);
    await step.run();

    rmSync(join(root, 'node_modules'), { recursive: true });

    expect(step.isDone()).toBe(false);
  });

  it('says that the registry is out of reach', async () => {
    const { step } = tree("console.error('npm error code EAI_AGAIN'); process.exit(1);");

    await expect(step.run()).rejects.toThrow(
      'The package registry could not be reached to install the npm packages: check the network',
    );
    expect(step.isDone()).toBe(false);
  });
});

describe('the Python step', () => {
  const ANSWER = JSON.stringify({ path: 'python3', version: [3, 11, 2], venv: true });

  /** A checkout and a PATH on which only the named programs exist. */
  function tree(programs: Readonly<Record<string, string>>) {
    const root = temporaryFolder();
    mkdirSync(join(root, 'python'));
    writeFileSync(join(root, 'python', 'requirements.lock'), 'torch==1');
    writeFileSync(join(root, 'python', 'requirements-dev.lock'), 'pytest==1');
    const bin = join(root, 'bin');
    for (const [name, body] of Object.entries(programs)) writeProgram(bin, name, body);
    const step = (dev: boolean) =>
      pythonEnvironment({
        root,
        logPath: join(root, 'log'),
        dev,
        env: { PATH: isolatedPath(bin), ROOT: root },
      });
    const log = () => readFileSync(join(root, 'calls'), 'utf8');
    return { root, step, log };
  }

  const INNER = `#!/bin/sh\necho "python $@" >> "$ROOT/calls"\ncase "$*" in *uv==*) exit 1;; esac\n`;
  /** Answers the probe; with -m venv it makes an environment whose Python records its calls. */
  const PYTHON = `
    case "$*" in
      *"import json"*) echo '${ANSWER}';;
      "-m venv "*) mkdir -p "$3/bin"; printf '${INNER.replaceAll('\n', '\\n')}' > "$3/bin/python"; chmod 755 "$3/bin/python";;
    esac`;
  const UV = `
    echo "uv $@" >> "$ROOT/calls"
    case "$1" in venv) mkdir -p "$4/bin"; touch "$4/bin/python";; esac`;

  it('uses uv where it is on PATH', async () => {
    const { root, step, log } = tree({ python3: PYTHON, uv: UV });

    await step(false).run();

    expect(log()).toContain(`uv venv --python python3 ${root}/.venv\n`);
    expect(log()).toContain(
      `uv pip install --python ${root}/.venv/bin/python --require-hashes -r ${root}/python/requirements.lock\n`,
    );
    expect(step(false).isDone()).toBe(true);
  });

  it('falls back to pip with the same hashes when uv cannot be had', async () => {
    const { root, step, log } = tree({ python3: PYTHON });

    await step(false).run();

    expect(log()).toContain('python -m pip install --quiet --disable-pip-version-check uv==');
    expect(log()).toContain(
      `python -m pip install --require-hashes --no-deps -r ${root}/python/requirements.lock\n`,
    );
    expect(step(false).isDone()).toBe(true);
  });

  it('adds the development packages without touching a finished environment', async () => {
    const { step, log } = tree({ python3: PYTHON, uv: UV });
    await step(false).run();
    expect(step(true).isDone()).toBe(false);

    await step(true).run();

    expect(log().match(/uv venv/g)).toHaveLength(1);
    expect(log()).toContain('requirements-dev.lock');
    expect([step(true).isDone(), step(false).isDone()]).toEqual([true, true]);
  });

  it('installs again when the lock changed', async () => {
    const { root, step } = tree({ python3: PYTHON, uv: UV });
    await step(false).run();

    writeFileSync(join(root, 'python', 'requirements.lock'), 'torch==2');

    expect(step(false).isDone()).toBe(false);
  });
});
