/**
 * Messages of the workflows. The query and the updates are for people and their clients; the
 * signals run between a parent workflow and its children and are nobody else's business.
 */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import { STATUS_QUERY, UPDATES } from '../contract/api.ts';
import type { RunStatus, StageStatus } from '../contract/status.ts';
import type { StudyStatus } from '../contract/study.ts';

export const statusQuery = defineQuery<RunStatus>(STATUS_QUERY);
/** The same name, asked of a study. */
export const studyStatusQuery = defineQuery<StudyStatus>(STATUS_QUERY);

/** What `extend_rounds` takes: how many rounds to add to those that are planned. */
export interface ExtendRounds {
  readonly rounds: number;
}

export const pauseUpdate = defineUpdate<RunStatus>(UPDATES.pause);
export const resumeUpdate = defineUpdate<RunStatus>(UPDATES.resume);
export const stopAfterRoundUpdate = defineUpdate<RunStatus>(UPDATES.stopAfterRound);
export const extendRoundsUpdate = defineUpdate<RunStatus, [ExtendRounds]>(UPDATES.extendRounds);

/**
 * Parent to child. `held`: start nothing new; what runs may finish. Else: go on. Reports echo the `number` of the last
 * one that was heard, so that what was said about an earlier pause is not taken for an answer to this one.
 */
export const holdSignal = defineSignal<[held: boolean, number: number]>('hold');

/** `round` to `selfTraining`. */
export interface RoundProgress {
  readonly round: number;
  readonly stages: readonly StageStatus[];
  /** The round is held and nothing of it runs any more. */
  readonly at_rest: boolean;
  /** Number of the last `hold` that it heard; 0 before the first. */
  readonly hold: number;
}
export const roundProgressSignal = defineSignal<[RoundProgress]>('round_progress');

/** `shards` to `round`. */
export interface ShardsProgress {
  readonly workflow_id: string;
  readonly done: number;
  readonly at_rest: boolean;
  readonly hold: number;
}
export const shardsProgressSignal = defineSignal<[ShardsProgress]>('shards_progress');
