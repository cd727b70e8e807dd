import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT } from '../../../cli/exit-codes.ts';
import { runCli } from '../../../cli/program.ts';

/** Importing torch takes ten seconds of a busy core. */
const START_TIMEOUT_MS = 90_000;

describe('sticflow ranks', () => {
  let workspace: string;
  let errors: string;
  let ready: Promise<string>;
  const abort = { controller: new AbortController() };

  beforeEach(async () => {
    workspace = await mkdtemp(join(tmpdir(), 'sticflow-ranks-'));
  });
  afterEach(async () => {
    await rm(workspace, { recursive: true });
  });

  async function ranks(...args: string[]): Promise<number> {
    errors = '';
    abort.controller = new AbortController();
    let heard: (address: string) => void = () => undefined;
    ready = new Promise((resolve) => {
      heard = resolve;
    });
    const stderr = {
      write(text: string) {
        errors += text;
        const found = /started here: (\S+)\./.exec(errors)?.[1];
        if (found !== undefined) heard(found);
      },
    };
    const io = { stdout: { write: () => undefined }, stderr, env: {} };
    return await runCli(['ranks', '--workspace', workspace, ...args], io, abort.controller.signal);
  }

  it(
    'makes a key that only its owner reads, listens until Ctrl-C, and keeps the key',
    async () => {
      const first = ranks('--listen', '127.0.0.2:0');
      const [host = '', port = ''] = (await ready).split(':');
      const greeting = await hearing(host, Number(port));
      abort.controller.abort();
      const path = join(workspace, 'ranks.key');
      const key = await readFile(path, 'utf8');

      expect(await first).toBe(EXIT.interrupted);
      expect(greeting).toMatch(/^[0-9a-f]{32}\n$/);
      expect(key).toMatch(/^[0-9a-f]{64}\n$/);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      await expect(hearing(host, Number(port))).rejects.toThrow('ECONNREFUSED');

      const second = ranks('--listen', '127.0.0.2:0');
      await ready;
      abort.controller.abort();
      await second;
      expect(await readFile(path, 'utf8')).toBe(key);
    },
    2 * START_TIMEOUT_MS,
  );

  it(
    'says why it cannot listen',
    async () => {
      expect(await ranks('--listen', '192.0.2.1:29400')).toBe(EXIT.failed);

      expect(errors).toContain('ended with exit code 1');
    },
    START_TIMEOUT_MS,
  );

  it('refuses an address without a port', async () => {
    expect(await ranks('--listen', '10.0.0.2')).toBe(EXIT.usage);

    expect(errors).toContain('Expected HOST:PORT');
  });
});

/** The first line that a stranger hears. */
async function hearing(host: string, port: number): Promise<string> {
  const socket = createConnection({ host, port });
  try {
    for await (const chunk of socket) return String(chunk);
    return '';
  } finally {
    socket.destroy();
  }
}
