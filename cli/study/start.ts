/** Starts a study, or attaches to it: the same request is the same study. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { studyWorkflowId, TASK_QUEUES, WORKFLOWS } from '../../contract/api.ts';
import { type StudyRequest, StudyResult } from '../../contract/study.ts';
import { canonicalJson } from '../../store/canonical.ts';
import { hasErrorCode } from '../../store/errors.ts';
import { studyRequestFile, studyResultFile } from '../../store/layout.ts';
import { parseJson } from '../../store/lines.ts';
import { studyIdOf } from '../../store/run-id.ts';
import { registerSource } from '../../store/sources.ts';
import { readEnding } from '../progress/follow.ts';
import type { Session } from '../session.ts';
import { isNotFound } from '../temporal-errors.ts';

export interface StartedStudy {
  readonly studyId: string;
  readonly how: 'started' | 'attached' | 'completed_before';
}

/** A study that is completed is started again only for runs that gave no figures. */
export async function startStudy(session: Session, request: StudyRequest): Promise<StartedStudy> {
  const studyId = studyIdOf(request);
  const before = await endingBefore(session, studyId);
  if (before === 'running') return { studyId, how: 'attached' };
  const result = await readStudyResult(session.workspace, studyId);
  if (result?.runs.every(({ state }) => state === 'completed') === true) {
    return { studyId, how: 'completed_before' };
  }
  const source = await writeRequest(session.workspace, studyId, request);
  await session.client.workflow.start(WORKFLOWS.study, {
    workflowId: studyWorkflowId(studyId),
    taskQueue: TASK_QUEUES.orchestrator,
    args: [{ request: source }],
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    staticSummary: `study · ${request.description.name} · ${request.size}`,
  });
  return { studyId, how: 'started' };
}

/** What a finished study found, from the workspace; null when it never came to its end here. */
export async function readStudyResult(
  workspace: string,
  studyId: string,
): Promise<StudyResult | null> {
  const file = studyResultFile(workspace, studyId);
  try {
    return parseJson(await readFile(file, 'utf8'), StudyResult, file);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/** The workflow's input names a file, because a request is larger than a message should be. */
async function writeRequest(workspace: string, studyId: string, request: StudyRequest) {
  const file = studyRequestFile(workspace, studyId);
  await mkdir(dirname(file), { recursive: true });
  const temporary = `${file}.${String(process.pid)}`;
  await writeFile(temporary, `${canonicalJson(request)}\n`);
  await rename(temporary, file);
  return await registerSource(workspace, file);
}

async function endingBefore({ client }: Session, studyId: string) {
  try {
    return (await readEnding(client, studyWorkflowId(studyId))) ?? 'running';
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}
