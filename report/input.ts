/**
 * What a report is made from. Activities and the CLI read it out of the store; `renderReport` turns
 * it into one HTML file and reads nothing else. Every text in it may be hostile: it is escaped, never trusted.
 */
import type { ArtifactKind, ArtifactRef } from '../contract/artifact.ts';
import type { ExperimentConfig } from '../contract/config.ts';
import type { Comparison, Scores } from '../contract/measures.ts';
import type { Prompts } from '../contract/prompts.ts';
import type { DuplicateRecord, PreferencePair, QuarantineRecord } from '../contract/records.ts';
import type { EvaluatedPolicy, RoundResult, RunStatus } from '../contract/status.ts';

/** An image inside the page, as `data:image/(png|jpeg|webp);base64,...`. Anything else is not shown. */
export type DataUri = string;

export interface PolicyScores {
  readonly set: string;
  readonly policy: EvaluatedPolicy;
  readonly scores: Scores;
}

export interface PolicyComparison {
  readonly set: string;
  readonly from: EvaluatedPolicy;
  readonly to: EvaluatedPolicy;
  /** Differences `to - from`. */
  readonly comparison: Comparison;
}

/** One line of `metrics.jsonl`; `values` by TRL's names: `loss`, `rewards/margins`, ... */
export interface TrainingRow {
  readonly step: number;
  readonly values: Readonly<Record<string, number>>;
}

/** Rows of each training of a round; a training that has not begun has no entry. */
interface TrainingCurves {
  readonly preference_training?: readonly TrainingRow[];
  readonly infused_training?: readonly TrainingRow[];
}

/** What `training.json` says about how a training was computed. */
export interface TrainingFacts {
  readonly forward?: string | undefined;
  readonly forward_reason?: string | undefined;
  readonly packed?: boolean | undefined;
  readonly packed_reason?: string | undefined;
  readonly quantization?: string | undefined;
  readonly finetuning?: string | null | undefined;
  readonly world_size?: number | undefined;
  readonly deviations?:
    | readonly { readonly name: string; readonly step: number; readonly micro_batch_size: number }[]
    | undefined;
}

export interface PairSample {
  readonly pair: PreferencePair;
  /** null when the image could not be read. */
  readonly image_data_uri: DataUri | null;
  /** null for pairs whose rejection source is a prompt. */
  readonly corrupted_image_data_uri: DataUri | null;
}

/** A question whose score differs between two policies. */
export interface ItemChange {
  readonly set: string;
  readonly mode: 'direct' | 'dar';
  readonly question: string;
  readonly question_type: string;
  readonly expected: string;
  /** Full text answered by `from`. */
  readonly before: string;
  /** Full text answered by `to`. */
  readonly after: string;
  readonly image_data_uri: DataUri | null;
}

/** A bounded sample of what changed between two policies; totals are in the comparison. */
interface ItemChanges {
  readonly from: EvaluatedPolicy;
  readonly to: EvaluatedPolicy;
  readonly fixed: readonly ItemChange[];
  readonly broken: readonly ItemChange[];
}

/** One round; of a round in progress only what is finished is there. */
export interface ReportRound {
  readonly round: number;
  /** null while the round runs. */
  readonly result: RoundResult | null;
  readonly scores: readonly PolicyScores[];
  readonly comparisons: readonly PolicyComparison[];
  readonly training: TrainingCurves;
  /** Of the trainings that are done. */
  readonly training_facts?: Partial<Record<keyof TrainingCurves, TrainingFacts>>;
  readonly pairs: readonly PairSample[];
  /** All pairs of the round that were kept, of which `pairs` is a sample. */
  readonly num_pairs: number;
  /** Dropped pairs by reason: `empty`, `equal`, `cut`, `repeating`. */
  readonly dropped: Readonly<Record<string, number>>;
  /** The end of the round against its start, or null without evaluation. */
  readonly item_changes: ItemChanges | null;
}

/** An artifact and what it was made from, as the manifests say. */
export interface LineageNode {
  readonly ref: ArtifactRef;
  /** What a person calls it: `adapter, round 2, preference training`. */
  readonly label: string;
}

/** `to` was made from `from`, directly or through artifacts that are not shown; both are keys. */
interface LineageEdge {
  readonly from: string;
  readonly to: string;
}

export interface Lineage {
  readonly nodes: readonly LineageNode[];
  readonly edges: readonly LineageEdge[];
}

interface ReportEnvironment {
  /** By program: `sticflow`, `node`, `python`, `torch`, `transformers`, ... */
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: string;
  readonly platform: string;
  /** CPU threads of the model process; null when it never ran. */
  readonly num_threads: number | null;
}

export interface ReportInput {
  readonly status: RunStatus;
  /** ISO 8601, UTC. */
  readonly written_at: string;
  /** null until the run is prepared. */
  readonly config: ExperimentConfig | null;
  readonly prompts: Prompts | null;
  readonly rounds: readonly ReportRound[];
  /** The last trained policy against the very first one, paired; null where it was not measured. */
  readonly overall: PolicyComparison | null;
  /** A bounded list; `num_quarantined` counts all. */
  readonly quarantine: readonly QuarantineRecord[];
  readonly num_quarantined: number;
  /** A bounded list; `num_duplicates` counts all. */
  readonly duplicates: readonly DuplicateRecord[];
  readonly num_duplicates: number;
  readonly lineage: Lineage;
  readonly environment: ReportEnvironment;
}

/** Upper bounds that keep a page below 5 MB; whoever assembles the input samples down to them. */
export const REPORT_LIMITS = {
  pairs_per_round: 24,
  item_changes_each: 12,
  quarantine: 200,
  duplicates: 200,
  /** Longer side, in pixels, of an image in the page. */
  image_side_pixels: 256,
  /** Characters of one data URI; a longer one is left out and the page says so. */
  data_uri_chars: 60_000,
} as const;

/** Kinds whose artifacts the lineage shows; shard-level ones would drown it. */
export const LINEAGE_KINDS: readonly ArtifactKind[] = [
  'model',
  'images',
  'instructions',
  'evaluation_set',
  'preference_pairs',
  'infused_examples',
  'adapter',
  'scores',
  'comparison',
  'round_result',
];
