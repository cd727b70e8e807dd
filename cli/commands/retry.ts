/** `sticflow retry`: starts a failed or cancelled run again; finished artifacts are found, not made again. */
import type { Command } from 'commander';
import { workflowId } from '../../contract/api.ts';
import { isEvaluationOnly } from '../../contract/config.ts';
import { openStore } from '../../store/store.ts';
import { type CommonOptions, type Context, newCommand, type Shell } from '../command.ts';
import { noRunFile, runCompleted, runNotOver } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { followToEnd, runUrl } from '../finish.ts';
import { type Outcome, say } from '../output.ts';
import { readEnding } from '../progress/follow.ts';
import { isPartial, readResult } from '../result.ts';
import { chooseRun, readRun, type StartedRun, unknownRunIn } from '../run-file.ts';
import { statusOf } from '../run-status.ts';
import { provideWorkers, type Session, startSession } from '../session.ts';
import { startRun } from '../start-run.ts';
import { isNotFound } from '../temporal-errors.ts';

interface RetryOptions extends CommonOptions {
  readonly detach?: boolean;
}

export function retryCommand(shell: Shell): Command {
  return newCommand('retry', {
    summary: 'start a failed or cancelled run again, from what is finished',
    description: `Every finished shard, training and score is found by its hash and not made again; a training that was
interrupted goes on from its last checkpoint. Of a completed evaluation the answers are judged that have no judgement
yet; no other answer is paid for twice.`,
    examples: [
      ['sticflow retry', 'the last started run'],
      ['sticflow retry scenes-1f2e3d4c5b --detach', 'a certain run, without following it'],
    ],
  })
    .argument('[run]', 'id of the run')
    .option('--detach', 'start and leave: exit code 6, the run goes on')
    .action(async (named: string | undefined, options: RetryOptions) => {
      await shell.perform(options, async (context) => retry(context, named, options));
    });
}

async function retry(
  context: Context,
  named: string | undefined,
  options: RetryOptions,
): Promise<Outcome> {
  const { workspace, io } = context;
  const runId = await chooseRun(workspace, named);
  const session = await startSession(workspace, 'kept', io);
  try {
    const ending = await readEnding(session.client, workflowId(runId));
    if (ending === null) throw runNotOver(runId);
    const run = await readRun(workspace, runId);
    if (ending === 'completed' && (run === null || !(await waitsForJudge(session, run)))) {
      throw runCompleted(runId);
    }
    if (run === null) throw noRunFile(runId);
    await provideWorkers(session, io);
    await startRun(session, run.config, run.config_name, 'again');
    say(io, `Run ${runId} goes on from what is finished.`);
    if (options.detach !== true) return await followToEnd(context, session, runId);
    const document = { run_id: runId, state: 'running', ui_url: await runUrl(session, runId) };
    return { document, text: `run: ${runId}`, exitCode: EXIT.stillRunning };
  } catch (error) {
    throw isNotFound(error) ? await unknownRunIn(workspace, runId) : error;
  } finally {
    await session.close();
  }
}

/**
 * Whether a completed evaluation has answers that its judge has not judged. A run that trains has decided
 * about its rounds by then, and is left as it is.
 */
async function waitsForJudge(
  { workspace, client }: Session,
  { run_id, config }: StartedRun,
): Promise<boolean> {
  const isJudged = (config.evaluation.judge?.kind ?? 'none') !== 'none';
  if (!isJudged || !isEvaluationOnly(config)) return false;
  const known = await statusOf(workspace, run_id, client);
  if (known === null) return false;
  return isPartial(await readResult(openStore(workspace), known.status));
}
