/** Where a study stands: its status, and the outcome of every run that has ended. */
import { setCurrentDetails } from '@temporalio/workflow';
import type { StudyRunOutcome, StudyStatus } from '../contract/study.ts';
import type { PrepareStudyOutput } from '../contract/study-activities.ts';

type Prepared = Pick<PrepareStudyOutput, 'study_id' | 'title' | 'runs'>;
type RunState = StudyStatus['runs'][number];

/** Messages of all failed runs travel together; a payload has 8 KB. */
const MAX_MESSAGES_CHARACTERS = 3000;

const MARKS: Record<RunState['state'], string> = {
  waiting: '·',
  running: '▶',
  completed: '✓',
  failed: '✗',
  not_available: '–',
};

export class StudyState {
  readonly #runs: RunState[] = [];
  readonly #outcomes = new Map<number, StudyRunOutcome>();
  #studyId = '';
  #title = 'a study';
  #state: StudyStatus['state'] = 'starting';
  #message = 'checking the description';
  #result: string | null = null;

  start({ study_id, title, runs }: Prepared): void {
    this.#studyId = study_id;
    this.#title = title;
    this.#state = 'running';
    for (const { arm, seed, available } of runs) {
      this.#runs.push({ arm, seed, run_id: null, state: available ? 'waiting' : 'not_available' });
    }
    this.say('running the arms');
  }

  began(run: number, runId: string | null): void {
    this.#set(run, { state: 'running', run_id: runId });
  }

  /** A run that ended in whatever way; the study goes on. */
  ended(run: number, outcome: StudyRunOutcome): void {
    this.#outcomes.set(run, outcome);
    this.#set(run, { state: outcome.state, run_id: outcome.run_id });
  }

  end(state: 'completed' | 'cancelled' | 'failed', message: string, result: string | null): void {
    this.#state = state;
    this.#result = result;
    this.say(message);
  }

  say(message: string): void {
    this.#message = message;
    this.#show();
  }

  /** In the order of the plan; call it when every run has ended. */
  outcomes(): StudyRunOutcome[] {
    const failed = [...this.#outcomes.values()].filter(({ state }) => state === 'failed').length;
    const limit = Math.min(300, Math.floor(MAX_MESSAGES_CHARACTERS / Math.max(1, failed)));
    return this.#runs.map((_, run) => {
      const outcome = this.#outcomes.get(run);
      if (outcome === undefined) throw new Error(`run ${String(run)} of the study has no outcome`);
      return { ...outcome, message: outcome.message.slice(0, limit) };
    });
  }

  status(): StudyStatus {
    return {
      schema_version: 1,
      study_id: this.#studyId,
      state: this.#state,
      runs: this.#runs,
      message: this.#message,
      result: this.#result,
    };
  }

  #set(run: number, change: Partial<RunState>): void {
    const before = this.#runs[run];
    if (before === undefined) throw new RangeError(`the study has no run ${String(run)}`);
    this.#runs[run] = { ...before, ...change };
    this.#show();
  }

  #show(): void {
    const rows = this.#runs.map(
      ({ arm, seed, state, run_id }) =>
        `| ${MARKS[state]} ${arm} | ${String(seed)} | ${state.replace('_', ' ')} | ${run_id ?? ''} |`,
    );
    const table =
      rows.length === 0 ? [] : ['| arm | seed | state | run |', '|---|---|---|---|', ...rows];
    setCurrentDetails(
      [`**${this.#state}** · ${this.#title}`, this.#message, table.join('\n')].join('\n\n'),
    );
  }
}
