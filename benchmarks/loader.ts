/** What loading a benchmark from a user's files gives; every benchmark's `load` has this shape. */

/** A picture of a benchmark: a file of the user's, or bytes inside a table. */
export interface BenchmarkImage {
  /** Unique in the benchmark; pictures of the same name have the same bytes. */
  readonly name: string;
  readonly read: () => Promise<Uint8Array>;
}

export interface BenchmarkQuestion {
  /** Also the `item_id` that the benchmark's scorer gives; MMBench scores groups, by their first row. */
  readonly question_id: string;
  /** null = the question is about text alone. */
  readonly image: BenchmarkImage | null;
  /** The user turn by the official text, without image token and without a description in front. */
  readonly prompt: string;
  /** Category that measures are broken down by. */
  readonly question_type: string;
  /** For people; null where only a judge can tell. */
  readonly answer: string | null;
  /** New tokens that the official script allows. */
  readonly max_new_tokens: number;
}

export interface LoadedBenchmark {
  readonly questions: readonly BenchmarkQuestion[];
  /**
   * The annotation files that the benchmark's scorer and judge read as `--data`, by name, which may hold
   * a folder (`coco/...`): text in the official layout, whatever layout the user's files had.
   */
  readonly scoringData: ReadonlyMap<string, string>;
  /**
   * The answers file that the benchmark's scorer reads as `--answers`, in the order of the questions. A
   * prompt that was asked with more than the official text is kept beside that, since scorers join by it.
   * @throws ScoreInputError for an answer to no question, or two to one.
   */
  readonly answersFile: (answers: readonly BenchmarkAnswer[]) => string;
}

export interface BenchmarkAnswer {
  readonly question_id: string;
  readonly prompt: string;
  readonly text: string;
}

/** @throws ScoreInputError when files are missing or broken; it says what to put where. */
export type BenchmarkLoader = (folder: string) => Promise<LoadedBenchmark>;
