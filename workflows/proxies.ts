/**
 * The one table of activity groups: queue, timeouts, heartbeat and retries, each number with its
 * reason. Which failures are never retried stands in `contract/failures.ts` and travels with them.
 *
 * No group has a `scheduleToStartTimeout` or a `scheduleToCloseTimeout` (but the report of a run
 * that is ending): waiting for a worker or a GPU is not a failure, however long it takes.
 */
import type { Duration } from '@temporalio/common';
import {
  ActivityCancellationType,
  type ActivityOptions,
  proxyActivities,
  type RetryPolicy,
} from '@temporalio/workflow';
import type { Activities, GpuActivities } from '../contract/activities.ts';
import { TASK_QUEUES } from '../contract/api.ts';
import type { StudyActivities, StudyGpuActivities } from '../contract/study-activities.ts';

/**
 * Attempts follow each other quickly and never further apart than 10 s: together with the
 * heartbeat timeout that keeps the promise to be back at work 30 s after a lost worker is back.
 */
const quickly = {
  initialInterval: '1s',
  backoffCoefficient: 2,
  maximumInterval: '10s',
} as const satisfies RetryPolicy;

const everyGroup = {
  // A dead worker is noticed within 20 s; workers beat every 5 s by a timer, so four beats in a
  // row have to be lost before a living one is given up.
  heartbeatTimeout: '20s',
  // Cancelled means that nothing runs any more: neither a process nor a half-written folder.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
} as const satisfies ActivityOptions;

interface Numbers {
  readonly startToCloseTimeout: Duration;
  readonly maximumAttempts: number;
}

function cpu({ startToCloseTimeout, maximumAttempts }: Numbers): ActivityOptions {
  const retry = { ...quickly, maximumAttempts };
  return { ...everyGroup, taskQueue: TASK_QUEUES.cpu, startToCloseTimeout, retry };
}

function gpu({ startToCloseTimeout, maximumAttempts }: Numbers): ActivityOptions {
  const retry = { ...quickly, maximumAttempts };
  return { ...everyGroup, taskQueue: TASK_QUEUES.gpu, startToCloseTimeout, retry };
}

/** Reads or writes a few small files. */
export const bookkeeping = proxyActivities<
  Pick<Activities, 'prepareRun' | 'compareScores' | 'publishRound' | 'prepareDescribe'>
>(
  cpu({
    // Milliseconds of work; minutes only on a disk that is in trouble.
    startToCloseTimeout: '5m',
    // A fault that outlives 20 attempts (about 3 minutes) is a defect, not bad luck.
    maximumAttempts: 20,
  }),
);

/** Goes through data: decodes, hashes, corrupts, collects, scores. */
export const data = proxyActivities<
  Pick<
    Activities,
    | 'resolveModel'
    | 'ingestImages'
    | 'prepareEvaluationSet'
    | 'selectInstructions'
    | 'prepareShard'
    | 'collectPreferencePairs'
    | 'collectInfusedExamples'
    | 'scoreAnswers'
  >
>(
  cpu({
    // 1,000,000 images at 25 a second are 11 hours; so is a large checkpoint over a slow line.
    startToCloseTimeout: '24h',
    // Also counts restarts of the worker during a long ingest, so more than bookkeeping's.
    maximumAttempts: 50,
  }),
);

/** Asks a judge about every answer of a benchmark. */
export const judging = proxyActivities<Pick<Activities, 'judgeAnswers' | 'askPolicyJudge'>>(
  cpu({
    // 1,000 answers at one a second and five runs are 90 minutes; a slow judge with a pace, a day.
    startToCloseTimeout: '24h',
    // `evaluation.judge.max_attempts` gives up earlier: what then has no reply is missing, no failure.
    maximumAttempts: 1000,
  }),
);

/** The report is for people: it must not hold up or fail what it reports on. */
export const reporting = proxyActivities<Pick<Activities, 'writeReport'>>({
  ...cpu({ startToCloseTimeout: '2m', maximumAttempts: 3 }),
});

/** The last report of a run that is ending badly: CANCELLED has to come within 30 s. */
export const lastReporting = proxyActivities<Pick<Activities, 'writeReport'>>({
  ...cpu({ startToCloseTimeout: '15s', maximumAttempts: 1 }),
  // Includes the wait for a worker: there may be none left.
  scheduleToCloseTimeout: '15s',
});

/** One shard of texts, or one text. */
export const generation = proxyActivities<
  Pick<GpuActivities, 'generateShard' | 'generateOne' | 'generateReplies'>
>(
  gpu({
    // A shard takes minutes; the largest allowed one (100,000 items) at 2 a second, 14 hours.
    // A hang is found much sooner, by the stall watchdog of the model process.
    startToCloseTimeout: '24h',
    // Each loss of a preemptible machine costs an attempt; 100 within one shard is a crash loop.
    maximumAttempts: 100,
  }),
);

/** One training from its first step to its last, over any number of attempts. */
export const training = proxyActivities<Pick<GpuActivities, 'trainPreference' | 'trainInfused'>>(
  gpu({
    // An attempt may be the whole training of a large model on one GPU.
    startToCloseTimeout: '14d',
    // A restart of the worker costs an attempt too, so attempts are no budget for training: the
    // number only ends a crash loop, after several hours of loading and dying.
    maximumAttempts: 1000,
  }),
);

/** A study's own work: reads the scores of all its runs, compares features, draws a page. */
export const studying = proxyActivities<StudyActivities>(
  cpu({
    // t-SNE of some thousand images on a slow machine; the rest takes seconds.
    startToCloseTimeout: '2h',
    // As bookkeeping: what fails so often is a defect.
    maximumAttempts: 20,
  }),
);

/** Features of images: as a shard of texts, and as long. */
export const embedding = proxyActivities<StudyGpuActivities>(
  gpu({
    // 5,000 images at one a second are an hour and a half.
    startToCloseTimeout: '24h',
    // As generation: each loss of a machine costs an attempt.
    maximumAttempts: 100,
  }),
);
