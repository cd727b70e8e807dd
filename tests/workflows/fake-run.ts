/**
 * The activities of one run, in memory: every artifact has a key made from the activity and its
 * input, and what is finished is found again by it. A test may make calls fail or wait.
 */

import type { ArtifactKind, ArtifactRef } from '../../contract/artifact.ts';
import { ExperimentConfig } from '../../contract/config.ts';
import type { FailureCode } from '../../contract/failures.ts';
import type { Measure } from '../../contract/measures.ts';
import type { RunPlan } from '../../contract/run-plan.ts';
import { canonicalJson, sha256Hex } from '../../store/canonical.ts';
import { SticflowError } from '../../store/errors.ts';
import type { ActivityName, Input, Output } from './activity-schemas.ts';
import { Hold } from './hold.ts';

/** What `prepareStudy` answers; runs are named by the fake runs that serve them. */
export interface StudySettings {
  readonly run_ids: readonly string[];
  /** By run: the run that comes first. */
  readonly after: readonly (number | null)[];
  readonly unavailable: readonly number[];
  readonly selects: readonly number[];
  readonly features_run: number | null;
  readonly feature_sets: readonly string[];
}

export interface RunSettings {
  readonly study?: Partial<StudySettings>;
  readonly plan?: Partial<RunPlan>;
  readonly num_images?: number;
  readonly num_instructions?: number;
  /** The answers of every set go to a judge. */
  readonly has_judge?: boolean;
  /** By round: how far its last policy is from its first one. */
  readonly difference?: (round: number) => Measure | null;
}

export interface Call {
  readonly activity: ActivityName;
  readonly input: unknown;
}

interface HoldOptions<N extends ActivityName> {
  /** Which of its calls wait. @default all */
  readonly when?: (input: Input<N>) => boolean;
  /** `held`: a cancelled call goes on until the test lets it clean up. @default 'at_once' */
  readonly cleanUp?: 'at_once' | 'held';
}

interface Fault {
  readonly activity: ActivityName;
  readonly code: FailureCode;
  readonly message: string;
  calls: number;
}

/** One round, two shards of preference, one of everything else. */
const PLAN: RunPlan = {
  rounds: 1,
  model_label: 'fake-vlm',
  training_stages: ['preference_training', 'infused_training'],
  infusion: true,
  describes_instructions: true,
  images_per_round: null,
  shard_size: 4,
  max_parallel_shards: 2,
  evaluation_sets: ['scenes-qa'],
  evaluated_policies: ['base', 'preference_training', 'infused_training'],
  answers_direct: true,
  answers_dar: false,
  decision_set: 'scenes-qa',
  decision_measure: 'accuracy',
  stop_without_gain: false,
};

const STUDY: StudySettings = {
  run_ids: [],
  after: [],
  unavailable: [],
  selects: [],
  features_run: null,
  feature_sets: [],
};

/** As `studyRun` hands it to a run; a fake run has its settings. */
const CONFIG_OF_STUDIES = ExperimentConfig.parse({
  name: 'fake',
  model: { source: 'builtin:scenes/model' },
  images: { source: 'builtin:scenes/images/unlabelled' },
  training_stages: ['preference_training'],
});

/** A gain beyond doubt. */
export const GAIN: Measure = { value: 0.1, low: 0.05, high: 0.15, n: 40 };
/** Worse beyond doubt. */
export const LOSS: Measure = { value: -0.1, low: -0.15, high: -0.05, n: 40 };

export class FakeRun {
  readonly runId: string;
  /** Every attempt of every activity, in the order of arrival. */
  readonly calls: Call[] = [];
  /** Activities that had to make what they returned, in the order of their ends. */
  readonly made: ActivityName[] = [];
  /** Bytes of the largest input or output. */
  largestPayload = 0;
  readonly #settings: RunSettings;
  readonly #finished = new Map<string, unknown>();
  readonly #roundOfScores = new Map<string, number>();
  readonly #faults: Fault[] = [];
  readonly #holds: { readonly takes: (call: Call) => boolean; readonly hold: Hold }[] = [];

  constructor(runId: string, settings: RunSettings) {
    this.runId = runId;
    this.#settings = settings;
  }

  get #study(): StudySettings {
    return { ...STUDY, ...this.#settings.study };
  }

  get plan(): RunPlan {
    return { ...PLAN, ...this.#settings.plan };
  }

  /** The next `calls` calls of an activity fail with this code and sentence. */
  fail(activity: ActivityName, code: FailureCode, message: string, calls = 1): void {
    this.#faults.push({ activity, code, message, calls });
  }

  /** Calls of an activity wait from now on, until the hold is released; the newest hold that takes a call has it. */
  hold<N extends ActivityName>(
    activity: N,
    { when = () => true, cleanUp = 'at_once' }: HoldOptions<N> = {},
  ): Hold {
    const hold = new Hold(cleanUp);
    // Filed by `perform` under the name that says its type.
    const takes = (call: Call) => call.activity === activity && when(call.input as Input<N>);
    this.#holds.push({ takes, hold });
    return hold;
  }

  /** What an activity was given, call by call. */
  inputsOf<N extends ActivityName>(activity: N): readonly Input<N>[] {
    const ofActivity = this.calls.filter((call) => call.activity === activity);
    // Filed by `perform` under the name that says its type.
    return ofActivity.map(({ input }) => input as Input<N>);
  }

  /** @throws what a test told it to throw, or the cancellation */
  async perform<N extends ActivityName>(activity: N, input: Input<N>): Promise<Output<N>> {
    const call = { activity, input };
    this.calls.push(call);
    await this.#holds.findLast(({ takes }) => takes(call))?.hold.wait();
    const fault = this.#faults.find((one) => one.activity === activity && one.calls > 0);
    if (fault !== undefined) {
      fault.calls -= 1;
      throw new SticflowError(fault.code, fault.message);
    }
    const key = canonicalJson([activity, input]);
    const found = this.#finished.get(key);
    // Filed below under a key that names the activity.
    if (found !== undefined) return found as Output<N>;
    const output = this.#make[activity](input);
    this.#finished.set(key, output);
    this.made.push(activity);
    return output;
  }

  readonly #make: { readonly [N in ActivityName]: (input: Input<N>) => Output<N> } = {
    prepareRun: (input) => ({
      run_id: this.runId,
      config: artifact('config', input),
      plan: this.plan,
    }),
    resolveModel: (input) => ({
      model: artifact('model', input),
      architecture: 'LlavaForConditionalGeneration',
      adapter: null,
    }),
    ingestImages: (input) => {
      const images = this.#settings.num_images ?? 8;
      return { images: artifact('images', input, images), counts: { images, quarantined: 1 } };
    },
    prepareEvaluationSet: (input) => ({
      evaluation_set: artifact('evaluation_set', input, 6),
      counts: { images: 3, questions: 6 },
    }),
    selectInstructions: (input) => {
      const instructions = this.#settings.num_instructions ?? 4;
      return {
        instructions: artifact('instructions', input, instructions),
        counts: { instructions },
      };
    },
    prepareShard: (input) => ({ requests: artifact('generation_requests', input) }),
    collectPreferencePairs: (input) => {
      const pairs = input.shards.num_items;
      return { preference_pairs: artifact('preference_pairs', input, pairs), counts: { pairs } };
    },
    collectInfusedExamples: (input) => {
      const examples = input.instructions.num_records;
      return {
        infused_examples: artifact('infused_examples', input, examples),
        counts: { examples },
      };
    },
    scoreAnswers: (input) => {
      const scores = artifact('scores', input, 6);
      this.#roundOfScores.set(scores.key, input.answers.round);
      const waits = this.#settings.has_judge === true && input.judgements === undefined;
      const waiting = { mode: 'direct' as const, benchmark: 'mmvet' as const };
      return waits ? { scores, to_judge: [{ ...waiting, answers_file: 'a.json' }] } : { scores };
    },
    judgeAnswers: (input) => ({
      judgements: artifact('judgements', input, 6),
      counts: { items: 6, judged: 6, missing: 0, cached: 0, by_rules: 0 },
      judge: 'a judge',
      stopped: null,
    }),
    // As a checkpoint whose first replies cannot be read: each is asked for twice.
    askPolicyJudge: (input) => ({
      requests:
        (input.policy?.replies.length ?? 0) < 2 ? artifact('generation_requests', input) : null,
    }),
    compareScores: (input) => {
      const round = this.#roundOfScores.get(input.to.key) ?? 0;
      const { difference = () => GAIN } = this.#settings;
      const delta = difference(round);
      const value = delta === null ? null : 0.5 + delta.value;
      return { comparison: artifact('comparison', input), delta, value };
    },
    publishRound: (input) => ({ round_result: artifact('round_result', input) }),
    writeReport: () => ({ report: 'report.html' }),
    prepareDescribe: (input) => ({ requests: artifact('generation_requests', input) }),
    generateShard: (input) => ({ generations: artifact('generations', input) }),
    generateOne: (input) => ({
      text: `text ${String(this.inputsOf('generateOne').length)}`,
      generations: artifact('generations', input),
    }),
    generateReplies: (input) => ({ generations: artifact('generations', input) }),
    trainPreference: (input) => ({ adapter: artifact('adapter', input), summary: { steps: 3 } }),
    trainInfused: (input) => ({ adapter: artifact('adapter', input), summary: { steps: 2 } }),
    prepareStudy: (input) => ({
      study_id: 'a-study',
      plan: artifact('study_plan', input),
      title: 'A study',
      runs: this.#study.run_ids.map((_, run) => ({
        arm: `arm-${String(run)}`,
        seed: 0,
        after: this.#study.after[run] ?? null,
        available: !this.#study.unavailable.includes(run),
        selects_images: this.#study.selects.includes(run),
      })),
      features_run: this.#study.features_run,
      feature_sets: [...this.#study.feature_sets],
      max_feature_images: 1000,
    }),
    studyRun: ({ run }) => ({
      run_id: this.#study.run_ids[run] ?? '',
      config: CONFIG_OF_STUDIES,
      target_set: this.#study.selects.includes(run) ? 'dev' : null,
    }),
    embedImages: (input) => ({ features: artifact('features', input) }),
    compareFeatures: (input) => ({ feature_comparison: artifact('feature_comparison', input) }),
    selectImages: () => ({ images: `source:${'5'.repeat(32)}` }),
    writeStudy: (input) => ({ study: artifact('study', input), page: 'study.html' }),
  };
}

/** An artifact whose key follows from all that went into it. */
export function artifact(kind: ArtifactKind, from: unknown, num_records = 0): ArtifactRef {
  const sha256 = sha256Hex(canonicalJson([kind, from]));
  return { kind, key: sha256.slice(0, 32), sha256, num_records };
}
