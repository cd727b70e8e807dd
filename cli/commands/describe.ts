/** `sticflow describe`: asks a run's policy about one image. */
import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { z } from 'zod';
import { TASK_QUEUES, WORKFLOWS } from '../../contract/api.ts';
import { type Policy, RoundResult } from '../../contract/status.ts';
import type { DescribeInput } from '../../contract/workflows.ts';
import { registerSource } from '../../store/sources.ts';
import { openStore } from '../../store/store.ts';
import { type CommonOptions, type Context, newCommand, type Shell } from '../command.ts';
import { describeFailed } from '../errors.ts';
import type { Outcome } from '../output.ts';
import { noPolicyYet } from '../policy-errors.ts';
import { bringUpWorkers, startSession } from '../session.ts';
import { knownStatus } from './status.ts';

interface DescribeOptions extends CommonOptions {
  readonly ask?: string;
  readonly dar?: boolean;
  readonly run?: string;
  readonly policy: 'trained' | 'base';
}

/** Answer of the workflow, whichever version of it runs. */
const Answer = z.object({ description: z.string().nullable(), answer: z.string().nullable() });

export function describeCommand(shell: Shell): Command {
  return newCommand('describe', {
    summary: "describe an image, or answer a question about it, with a run's policy",
    description: `Without --ask the image is described with the well-crafted prompt. With --dar the policy describes the image
first and answers with its description in view.`,
    examples: [
      ['sticflow describe photo.jpg', 'what the last started run sees'],
      ['sticflow describe photo.jpg --ask "What color is the ring?"', 'a direct answer'],
      ['sticflow describe photo.jpg --ask "How many?" --dar', 'describe first, then answer'],
      ['sticflow describe photo.jpg --policy base', 'the same before any training'],
    ],
  })
    .argument('<image>', 'JPEG, PNG or WebP file', imageFile)
    .option('--ask <question>', 'answer a question')
    .option('--dar', 'describe first, then answer (needs --ask)')
    .option('--run <run>', 'id of the run (default: the last started)')
    .option(
      '--policy <policy>',
      'trained: after the last round; base: before the first',
      policyName,
      'trained',
    )
    .action(async (image: string, options: DescribeOptions, command: Command) => {
      if (options.dar === true && options.ask === undefined) {
        command.error('error: --dar needs a question: add --ask "..."');
      }
      await shell.perform(options, async (context) => describe(context, image, options));
    });
}

async function describe(
  context: Context,
  image: string,
  options: DescribeOptions,
): Promise<Outcome> {
  const { workspace, io } = context;
  const { status } = await knownStatus(context, options.run);
  if (status.config === null || status.last_result === null) throw noPolicyYet(status.run_id);
  const store = openStore(workspace);
  const { end_policy } = await store.readJson(status.last_result, 'round_result.json', RoundResult);
  const policy: Policy = options.policy === 'base' ? { ...end_policy, adapter: null } : end_policy;
  const input: DescribeInput = {
    config: status.config,
    policy,
    image: await registerSource(workspace, image),
    question: options.ask ?? null,
    describe_and_respond: options.dar === true,
  };
  const session = await startSession(workspace, 'with_starter', io);
  const workers = await bringUpWorkers(session, 'with_starter');
  try {
    const answer: unknown = await session.client.workflow.execute(WORKFLOWS.describe, {
      workflowId: `sticflow/describe/${randomUUID()}`,
      taskQueue: TASK_QUEUES.orchestrator,
      args: [input],
      staticSummary: `describe · ${status.run_id}`,
    });
    return outcomeOf(Answer.parse(answer), status.run_id, options.policy);
  } catch (error) {
    throw describeFailed(error);
  } finally {
    await workers.stop();
    await session.close();
  }
}

function outcomeOf(
  { description, answer }: z.infer<typeof Answer>,
  runId: string,
  policy: string,
): Outcome {
  const parts = [
    description === null ? '' : `description: ${description}`,
    answer === null ? '' : `answer: ${answer}`,
  ];
  return {
    document: { run_id: runId, policy, description, answer },
    text: parts.filter((part) => part !== '').join('\n'),
  };
}

function imageFile(text: string): string {
  const found = statSync(text, { throwIfNoEntry: false });
  if (found?.isFile() === true) return resolve(text);
  throw new InvalidArgumentError(
    `Expected an image file, ${found ? 'got a folder' : 'there is nothing at that path'}.`,
  );
}

function policyName(text: string): 'trained' | 'base' {
  if (text === 'trained' || text === 'base') return text;
  throw new InvalidArgumentError('Expected trained or base.');
}
