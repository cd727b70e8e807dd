/** `sticflow ranks`: lends the devices of this host to trainings of workers on other hosts. */
import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, unlink, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { type Command, InvalidArgumentError } from 'commander';
import { execa } from 'execa';
import { z } from 'zod';
import { modelProcessEnvironment } from '../../activities/model-process-environment.ts';
import { RankHostAddress } from '../../contract/config-training.ts';
import { hasErrorCode } from '../../store/errors.ts';
import { pythonExecutable, rankKeyPath } from '../../store/layout.ts';
import { type CommonOptions, type Context, newCommand, type Shell } from '../command.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import type { Outcome } from '../output.ts';

/** As `NUM_KEY_BYTES` in `sticflow_ml/host_channel.py`. */
const KEY_BYTES = 32;

const Listening = z.object({ listening: z.string() });

interface RanksOptions extends CommonOptions {
  readonly listen: string;
}

export function ranksCommand(shell: Shell): Command {
  return newCommand('ranks', {
    summary: "lend this host's devices to trainings elsewhere, until Ctrl-C",
    description: `A training whose config names this address in \`hosts\` starts its share of the ranks here. The workspace has to be the same
folder at the same path on every host (a shared file system); the key that the hosts know each other by lies in it.
Gradients travel unencrypted, as with torchrun: listen on a network that is yours alone.`,
    examples: [
      ['sticflow ranks --listen 10.0.0.2:29400', 'on the second machine'],
      [
        'sticflow run my.yaml --set preference_training.hosts=[10.0.0.2:29400] --set preference_training.world_size=8',
        'on the first, with four devices each',
      ],
    ],
  })
    .requiredOption('--listen <host:port>', 'address of this host that the others reach', address)
    .action(async (options: RanksOptions) => {
      await shell.perform(options, async (context) => lend(context, options.listen));
    });
}

function address(value: string): string {
  if (RankHostAddress.safeParse(value).success) return value;
  throw new InvalidArgumentError('Expected HOST:PORT, such as 10.0.0.2:29400.');
}

async function lend({ workspace, io, signal }: Context, listen: string): Promise<Outcome> {
  const key = rankKeyPath(workspace);
  await mkdir(workspace, { recursive: true });
  await ensureKey(key);
  // stdin is its lifeline: should this process be killed, the ranks end as well.
  const host = execa(
    pythonExecutable(io.env),
    ['-m', 'sticflow_ml.rank_host', '--listen', listen, '--key', key],
    {
      env: modelProcessEnvironment(io.env, { network: 'none', secret: null }),
      extendEnv: false,
      stdin: 'pipe',
      stderr: 'inherit',
      reject: false,
      buffer: false,
    },
  );
  const stop = (): void => {
    host.kill('SIGTERM');
  };
  signal.addEventListener('abort', stop);
  for await (const line of createInterface({ input: host.stdout })) {
    const { listening } = Listening.parse(JSON.parse(line));
    io.stderr.write(`Ranks can be started here: ${listening}. Ctrl-C ends it.\n`);
  }
  const { exitCode } = await host;
  if (!signal.aborted) {
    throw new CliError(
      'RanksEnded',
      `Expected to lend devices until Ctrl-C, but the process ended with exit code ${String(exitCode ?? 'none')}. Its reason is above.`,
      EXIT.failed,
    );
  }
  return { document: { ended: true }, text: '', exitCode: EXIT.interrupted };
}

/** The first host to come makes the key; the others find it in the shared workspace, whole. */
async function ensureKey(path: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}`;
  const text = `${randomBytes(KEY_BYTES).toString('hex')}\n`;
  await writeFile(temporary, text, { flag: 'wx', mode: 0o600 });
  try {
    await link(temporary, path);
  } catch (error) {
    if (!hasErrorCode(error, 'EEXIST')) throw error;
  } finally {
    await unlink(temporary);
  }
}
