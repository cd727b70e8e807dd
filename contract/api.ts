/**
 * Everything a caller may know about the workflows: queues, names, ids. No zod here, so that
 * workflow code may import values from this file without weight in the sandbox.
 */

/** One queue per kind of resource; a worker role polls exactly one of them. */
export const TASK_QUEUES = {
  orchestrator: 'sticflow-orchestrator',
  cpu: 'sticflow-cpu',
  gpu: 'sticflow-gpu',
} as const;

export type WorkerRole = keyof typeof TASK_QUEUES;

/** Registered workflow types, as the Temporal UI and the official CLI show them. */
export const WORKFLOWS = {
  selfTraining: 'selfTraining',
  round: 'round',
  shards: 'shards',
  describe: 'describe',
  evaluation: 'evaluation',
  study: 'study',
} as const;

/** The one query of a run: a {@link RunStatus} snapshot. */
export const STATUS_QUERY = 'status';

/** Updates of a run. Each has a validator that refuses what makes no sense in the run's state. */
export const UPDATES = {
  pause: 'pause',
  resume: 'resume',
  stopAfterRound: 'stop_after_round',
  extendRounds: 'extend_rounds',
} as const;

/** Search attributes and their Temporal types, registered before the first start. */
export const SEARCH_ATTRIBUTES = {
  run: { name: 'SticRun', type: 'Keyword' },
  round: { name: 'SticRound', type: 'Int' },
  stage: { name: 'SticStage', type: 'Keyword' },
  model: { name: 'SticModel', type: 'Keyword' },
  score: { name: 'SticScore', type: 'Double' },
} as const;

/** Steps of a round, in the order of the paper's two algorithms. */
export const STAGES = [
  'ingest',
  'preference',
  'preference_training',
  'infusion',
  'infused_training',
  'evaluation',
] as const;

export type Stage = (typeof STAGES)[number];

/** Workflow id of a run: deterministic, so that starting the same config twice attaches. */
export function workflowId(runId: string): string {
  return `sticflow/${runId}`;
}

/** Workflow id of one round of a run; rounds count from 1. */
export function roundWorkflowId(runWorkflowId: string, round: number): string {
  return `${runWorkflowId}/round-${String(round)}`;
}

/** Workflow id of one sharded fan-out inside a round. */
export function shardsWorkflowId(roundWorkflow: string, task: string): string {
  return `${roundWorkflow}/${task}`;
}

/** Workflow id of a study: starting the same one twice attaches, as with runs. */
export function studyWorkflowId(studyId: string): string {
  return `sticflow/study/${studyId}`;
}

/** Version of the wire between a worker and its model process; a mismatch is refused. */
export const PROTOCOL_VERSION = 1;
