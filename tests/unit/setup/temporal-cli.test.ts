import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  CLI_GO_PACKAGE,
  cacheFolder,
  findTemporalCli,
} from '../../../cli/temporal-server/binary.mjs';
import { temporalCli } from '../../../scripts/bootstrap/temporal-cli.mjs';
import { isolatedPath, temporaryFolder, writeProgram } from '../../setup/programs.ts';

/** A machine with a home, a cache and a PATH of its own. */
function machine(programs: Readonly<Record<string, string>> = {}) {
  const root = temporaryFolder();
  const bin = join(root, 'bin');
  for (const [name, body] of Object.entries(programs)) writeProgram(bin, name, body);
  const env: NodeJS.ProcessEnv = {
    PATH: isolatedPath(bin),
    XDG_CACHE_HOME: join(root, 'cache'),
    ROOT: root,
  };
  const step = (downloader: string) =>
    temporalCli({ root, logPath: join(root, 'log'), env, downloader: join(root, downloader) });
  writeFileSync(join(root, 'unreachable.mjs'), "throw new Error('dns error');");
  return { root, bin, env, step };
}

describe('findTemporalCli', () => {
  it('looks at TEMPORAL_CLI_PATH, then PATH, then the cache', () => {
    const { root, bin, env } = machine();
    expect(findTemporalCli(env)).toBeUndefined();

    const cached = writeProgram(cacheFolder(env), 'temporal', '');
    expect(findTemporalCli(env)).toBe(cached);

    const onPath = writeProgram(bin, 'temporal', '');
    expect(findTemporalCli(env)).toBe(onPath);

    const named = writeProgram(root, 'my-temporal', '');
    expect(findTemporalCli({ ...env, TEMPORAL_CLI_PATH: named })).toBe(named);
  });

  it('does not pass over a TEMPORAL_CLI_PATH that names nothing', () => {
    const { env } = machine({ temporal: '' });

    expect(() => findTemporalCli({ ...env, TEMPORAL_CLI_PATH: '/nowhere/temporal' })).toThrow(
      'Expected TEMPORAL_CLI_PATH to name an executable Temporal CLI, got /nowhere/temporal: correct it or unset it.',
    );
  });

  it('takes neither folders nor files that cannot be run', () => {
    const { bin, root, env } = machine();
    mkdirSync(join(bin, 'temporal'), { recursive: true });
    writeFileSync(join(root, 'temporal'), 'not a program');

    expect(findTemporalCli({ ...env, PATH: `${bin}:${root}` })).toBeUndefined();
  });
});

describe('the Temporal CLI step', () => {
  it('has nothing to do where a CLI is, or where a server is named', () => {
    const { step, env } = machine({ temporal: '' });
    expect(step('unreachable.mjs').isDone()).toBe(true);

    const bare = machine();
    bare.env['TEMPORAL_ADDRESS'] = 'temporal.example:7233';
    expect(bare.step('unreachable.mjs').isDone()).toBe(true);
    expect(env['TEMPORAL_ADDRESS']).toBeUndefined();
  });

  it('keeps what the downloader brought', async () => {
    const { root, env, step } = machine();
    writeFileSync(
      join(root, 'downloader.mjs'),
      `import { writeFileSync } from 'node:fs';
       const [folder, version] = process.argv.slice(2);
       writeFileSync(folder + '/temporal-cli-' + version, '#!/bin/sh', { mode: 0o755 });
       console.log('downloaded: ' + folder + '/temporal-cli-' + version);`,
    );

    await step('downloader.mjs').run();

    expect(findTemporalCli(env)).toBe(join(cacheFolder(env), 'temporal'));
    expect(readdirSync(cacheFolder(env))).toEqual(['temporal']);
  });

  it('builds with Go where the download is out of reach, without the flags of other modules', async () => {
    const { root, env, step } = machine({
      go: 'echo "$GOFLAGS|$@" > "$ROOT/go-call"; touch "$GOBIN/temporal"; chmod 755 "$GOBIN/temporal"',
    });
    env['GOFLAGS'] = '-mod=vendor';

    await step('unreachable.mjs').run();

    expect(readFileSync(join(root, 'go-call'), 'utf8')).toBe(`|install ${CLI_GO_PACKAGE}\n`);
    expect(findTemporalCli(env)).toBe(join(cacheFolder(env), 'temporal'));
  });

  it('names three remedies where neither download nor Go works, and leaves nothing behind', async () => {
    const { env, step } = machine();

    const failure: unknown = await step('unreachable.mjs')
      .run()
      .catch((error: unknown) => error);

    expect(String(failure)).toContain('install it (https://docs.temporal.io/cli)');
    expect(String(failure)).toContain('set TEMPORAL_CLI_PATH');
    expect(String(failure)).toContain(`go install ${CLI_GO_PACKAGE}`);
    expect(readdirSync(cacheFolder(env))).toEqual([]);
  });

  it('says that the module proxy is out of reach', async () => {
    const { env, step } = machine({
      go: 'echo "dial tcp: lookup proxy: no such host" >&2; exit 1',
    });

    await expect(step('unreachable.mjs').run()).rejects.toThrow(
      'The package registry could not be reached to build the Temporal CLI with Go',
    );
    expect(existsSync(join(cacheFolder(env), 'temporal'))).toBe(false);
  });
});
