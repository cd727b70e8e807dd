/** `sticflow worker`: one worker in the foreground, for machines that only work. */
import { spawn } from 'node:child_process';
import { type Command, Option } from 'commander';
import type { WorkerRole } from '../../contract/api.ts';
import { type CommonOptions, type Context, newCommand, type Shell } from '../command.ts';
import { workerEnded } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import type { Outcome } from '../output.ts';
import { openSession } from '../session.ts';
import { ROLES, workerMain } from '../workers/local.ts';

interface WorkerOptions extends CommonOptions {
  readonly role: WorkerRole;
}

export function workerCommand(shell: Shell): Command {
  return newCommand('worker', {
    summary: 'run one worker in the foreground until Ctrl-C',
    description: `orchestrator runs the workflows, cpu reads and writes data, gpu owns the model (one per GPU). All workers of a
server need the same workspace. \`sticflow up\` runs one of each in the background.`,
    examples: [
      ['sticflow worker --role gpu', 'on the machine with the GPU'],
      ['CUDA_VISIBLE_DEVICES=1 sticflow worker --role gpu', 'a second one, for the second GPU'],
    ],
  })
    .addOption(
      new Option('--role <role>', 'what it does').choices([...ROLES]).makeOptionMandatory(),
    )
    .action(async (options: WorkerOptions) => {
      await shell.perform(options, async (context) => work(context, options.role));
    });
}

async function work({ workspace, io, signal }: Context, role: WorkerRole): Promise<Outcome> {
  const session = await openSession(workspace, io);
  const environment = session.server.workerEnvironment;
  await session.close();
  // stdin is the worker's lifeline: should this process be killed, the worker ends as well.
  const worker = spawn(process.execPath, [workerMain(), '--role', role], {
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { ...io.env, ...environment, STICFLOW_WORKSPACE: workspace },
  });
  const stop = (): void => {
    worker.kill('SIGTERM');
  };
  signal.addEventListener('abort', stop);
  const code = await new Promise<number | null>((resolve, reject) => {
    worker.on('error', reject);
    worker.on('close', resolve);
  });
  if (!signal.aborted && code !== 0) throw workerEnded(role, code);
  return {
    document: { role, ended: true },
    text: '',
    exitCode: signal.aborted ? EXIT.interrupted : EXIT.done,
  };
}
