/** `sticflow study`: runs the arms of a study and ends in a page beside the paper's figures. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { studyWorkflowId } from '../../contract/api.ts';
import { STUDY_SIZES, type StudyRequest, type StudySize } from '../../contract/study.ts';
import { type CommonOptions, type Context, collect, newCommand, type Shell } from '../command.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { type Outcome, say, table } from '../output.ts';
import { provideScenes } from '../scenes-data.ts';
import { bringUpWorkers, type Session, sayWhereToLook, startSession } from '../session.ts';
import { estimateOf } from '../study/estimate.ts';
import { followStudy } from '../study/follow.ts';
import { loadStudy, requestOf, studyNames } from '../study/load.ts';
import { studyOutcome } from '../study/outcome.ts';
import { readStudyResult, type StartedStudy, startStudy } from '../study/start.ts';
import { failureOf } from '../temporal-errors.ts';

interface StudyOptions extends CommonOptions {
  readonly quick?: boolean;
  readonly size: StudySize;
  readonly base?: string;
  readonly seeds?: readonly number[];
  readonly set: readonly string[];
  readonly estimate?: boolean;
  readonly keep?: boolean;
}

export function studyCommand(shell: Shell): Command {
  return newCommand('study', {
    summary: "run one of the paper's studies, or your own",
    description: `NAME is a study (${studyNames().join(', ')}) or a YAML file; without one the studies are listed. Every arm
runs with every seed; artifacts that arms or studies share are made once. An interrupted study goes on where it was
with the same command. Server and workers are started for the study and stopped with it.`,
    examples: [
      ['sticflow study table2 --quick', 'a small size: minutes on the embedded model'],
      ['sticflow study table2', 'the full size on the embedded model'],
      ['sticflow study table2 --size real --base my.yaml --estimate', 'what a real one would cost'],
    ],
  })
    .argument('[name]', 'a study, or a YAML file that describes one')
    .option('--quick', 'the same as --size quick')
    .addOption(new Option('--size <size>', 'how large').choices([...STUDY_SIZES]).default('full'))
    .option('--base <config>', 'YAML file or preset that the arms change')
    .option('--seeds <list>', 'seeds instead of those of the size, such as 0,1,2', seedList)
    .option('--set <key=value>', 'override a value of the base; repeatable', collect, [])
    .option('--estimate', 'say what it will take and start nothing')
    .option('--keep', 'leave server and workers running (`sticflow down` stops them)')
    .action(async (name: string | undefined, options: StudyOptions) => {
      await shell.perform(options, async (context) =>
        name === undefined ? listStudies() : study(context, name, options),
      );
    });
}

async function listStudies(): Promise<Outcome> {
  const studies = await Promise.all(studyNames().map(async (name) => loadStudy(name)));
  const rows = studies.map(({ name, title, sizes }) => [
    name,
    Object.keys(sizes).join(', '),
    title,
  ]);
  return {
    document: { studies: studies.map(({ name, title, question }) => ({ name, title, question })) },
    text: table([['study', 'sizes', 'title'], ...rows]),
  };
}

async function study(context: Context, name: string, options: StudyOptions): Promise<Outcome> {
  const { io, workspace } = context;
  const request = await requestOf(await loadStudy(name), {
    size: options.quick === true ? 'quick' : options.size,
    workspace,
    base: options.base ?? null,
    seeds: options.seeds ?? null,
    overrides: options.set,
  });
  const estimate = await estimateOf(request);
  if (options.estimate === true) return { document: { estimate }, text: estimate };
  say(io, estimate);
  await provideScenes(workspace, request.base, io);
  const lifetime = options.keep === true ? 'kept' : 'with_starter';
  const session = await startSession(workspace, lifetime, io);
  try {
    const workers = await bringUpWorkers(session, lifetime);
    try {
      return await runStudy(context, session, request);
    } finally {
      if (options.keep !== true) await workers.stop();
    }
  } finally {
    await session.close();
  }
}

async function runStudy(
  { io, signal, workspace }: Context,
  session: Session,
  request: StudyRequest,
): Promise<Outcome> {
  const started = await startStudy(session, request);
  const { studyId } = started;
  say(io, describeStart(started));
  sayWhereToLook(session, io);
  if (started.how !== 'completed_before') {
    try {
      const ending = await followStudy(session.client, studyId, { io, signal });
      if (ending !== 'completed') throw await studyFailed(session, studyId);
    } catch (error) {
      if (!signal.aborted) throw error;
      say(io, `Left the study ${studyId}. The same command goes on where it was.`);
      const document = { study_id: studyId, state: 'running' };
      return { document, text: '', exitCode: EXIT.interrupted };
    }
  }
  const result = await readStudyResult(workspace, studyId);
  if (result === null) throw new Error(`study ${studyId} is completed and has no result`);
  return studyOutcome(workspace, result);
}

function describeStart({ studyId, how }: StartedStudy): string {
  switch (how) {
    case 'started':
      return `Started study ${studyId}.`;
    case 'attached':
      return `Study ${studyId} is under way already; attached to it.`;
    case 'completed_before':
      return `Study ${studyId} is completed already; nothing is left to do.`;
  }
}

async function studyFailed({ client }: Session, studyId: string): Promise<Error> {
  try {
    await client.workflow.getHandle(studyWorkflowId(studyId)).result();
    return new Error(`study ${studyId} failed, but its result is there`);
  } catch (error) {
    const { type, message } = failureOf(error);
    return new CliError(
      type,
      `Study ${studyId} ended with ${type}: ${message}\nWhen the cause is gone, the same command goes on from what is finished.`,
      EXIT.failed,
    );
  }
}

function seedList(text: string): number[] {
  const seeds = text.split(',').map((part) => (/^\d{1,9}$/.test(part.trim()) ? Number(part) : -1));
  if (seeds.every((seed) => seed >= 0) && new Set(seeds).size === seeds.length) return seeds;
  throw new InvalidArgumentError('Expected different whole numbers with commas, such as 0,1,2.');
}
