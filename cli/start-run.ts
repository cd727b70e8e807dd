/** Starts a run, or attaches to it: the same config is the same run. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import { defineSearchAttributeKey, SearchAttributeType } from '@temporalio/common';
import { SEARCH_ATTRIBUTES, TASK_QUEUES, WORKFLOWS, workflowId } from '../contract/api.ts';
import { type ExperimentConfig, isEvaluationOnly } from '../contract/config.ts';
import { runIdOf } from '../store/run-id.ts';
import { type Ending, readEnding } from './progress/follow.ts';
import { recordRun } from './run-file.ts';
import type { Session } from './session.ts';
import { isNotFound } from './temporal-errors.ts';

export interface StartedAs {
  readonly runId: string;
  /** `again`: it had failed or been cancelled, and goes on from what is finished. */
  readonly how: 'started' | 'attached' | 'again' | 'completed_before';
}

/** Starting is safe to repeat; a completed run is left as it is, unless it is to be taken up `again`. */
export async function startRun(
  session: Session,
  config: ExperimentConfig,
  configName: string,
  completed: 'left' | 'again' = 'left',
): Promise<StartedAs> {
  const runId = runIdOf(config);
  const before = await endingBefore(session, runId);
  if (before === 'running') return { runId, how: 'attached' };
  if (before === 'completed' && completed === 'left') return { runId, how: 'completed_before' };
  await recordRun(session.workspace, {
    schema_version: 1,
    run_id: runId,
    config_name: configName,
    started_at: new Date().toISOString(),
    config,
  });
  try {
    const type = isEvaluationOnly(config) ? WORKFLOWS.evaluation : WORKFLOWS.selfTraining;
    await session.client.workflow.start(type, {
      workflowId: workflowId(runId),
      taskQueue: TASK_QUEUES.orchestrator,
      args: [{ config }],
      // Two starts at the same moment make one run.
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowIdReusePolicy:
        completed === 'again' ? 'ALLOW_DUPLICATE' : 'ALLOW_DUPLICATE_FAILED_ONLY',
      staticSummary: summaryOf(config),
      typedSearchAttributes: [
        {
          key: defineSearchAttributeKey(SEARCH_ATTRIBUTES.run.name, SearchAttributeType.KEYWORD),
          value: runId,
        },
      ],
    });
  } catch (error) {
    // It was started and completed since we looked.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return { runId, how: 'completed_before' };
  }
  return { runId, how: before === null ? 'started' : 'again' };
}

async function endingBefore(session: Session, runId: string): Promise<Ending | 'running' | null> {
  try {
    return (await readEnding(session.client, workflowId(runId))) ?? 'running';
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

function summaryOf(config: ExperimentConfig): string {
  if (isEvaluationOnly(config)) return `evaluation · ${config.name}`;
  const rounds = config.rounds === 1 ? '1 round' : `${String(config.rounds)} rounds`;
  return `STIC · ${config.name} · ${rounds}`;
}
