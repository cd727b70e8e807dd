/**
 * What a strategy is: candidates -> pairing -> loss -> reference. One file beside this one says it for
 * each, and `registry.ts` knows them by name; how to add one stands in docs/strategies.md.
 */
import type { ShardSet } from '../../contract/activities.ts';
import type { ArtifactRef } from '../../contract/artifact.ts';
import type { ExperimentConfig } from '../../contract/config.ts';
import type { TrainPreferenceRequest } from '../../contract/model-process.ts';
import type { Question, QuestionDraw } from '../../contract/questions.ts';
import type {
  Corruption,
  DroppedPair,
  Generation,
  GenerationRequest,
  ImageRecord,
  PreferenceDraw,
  PreferencePair,
} from '../../contract/records.ts';
import type { RunConfig } from '../../contract/run-config.ts';
import type { JsonObject } from '../../store/canonical.ts';
import type { Store } from '../../store/store.ts';

/** Items are the images of the run, or the questions of its instruction set. */
export type Strategy = ImageStrategy | QuestionStrategy;

export interface ImageStrategy extends AnyStrategy {
  readonly items: 'images';
  /** Texts to ask the start policy for about one image: a pure function of (run, round, image). */
  readonly candidates: (
    run: RunConfig,
    round: number,
    image: ImageRecord,
  ) => Candidates<PreferenceDraw>;
}

export interface QuestionStrategy extends AnyStrategy {
  readonly items: 'questions';
  /** Which questions of a conversation are items. */
  readonly turns: (config: ExperimentConfig) => 'first' | 'every';
  /** Texts to ask the start policy for about one question: a pure function of (run, round, question). */
  readonly candidates: (
    run: RunConfig,
    round: number,
    question: Question,
  ) => Candidates<QuestionDraw>;
}

interface AnyStrategy {
  /** What `candidates` reads of a run beside seed, round and sampling: part of the requests' key. */
  readonly candidateKnobs: (run: RunConfig) => JsonObject;
  /** Pairs of one shard, from its draws and texts. */
  readonly pairing: (shard: AnsweredShard) => AsyncIterable<PreferencePair | DroppedPair>;
  /** What `pairing` reads of a config beside what every strategy's does: part of the pairs' key. */
  readonly pairingKnobs?: (config: ExperimentConfig) => JsonObject;
  /** Loss and reference of the preference training. */
  readonly training: (config: ExperimentConfig) => PairTraining;
}

/** What is to be made for one item before the model speaks. */
export interface Candidates<Draw> {
  /** A line of `draws.jsonl`: what `pairing` needs again. */
  readonly draw: Draw;
  readonly requests: readonly Asked[];
  /** Corruptions of the item's image, by the file below the requests that they become. */
  readonly pictures: ReadonlyMap<string, Corruption>;
}

export type Asked = Pick<GenerationRequest, 'request_id' | 'image' | 'prompt' | 'seed'>;

/** One shard after the model spoke. */
export interface AnsweredShard {
  readonly store: Store;
  readonly run: RunConfig;
  readonly shards: ShardSet;
  readonly requests: ArtifactRef;
  /** By request id. */
  readonly texts: ReadonlyMap<string, Generation>;
}

/** The part of a training request that a strategy decides. */
export interface PairTraining
  extends Pick<TrainPreferenceRequest, 'loss' | 'objective' | 'reference'> {
  /** Of infused examples that are learnt beside the pairs; absent = none are. */
  readonly infused_weight?: number;
}
