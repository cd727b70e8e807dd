/** A run as it stands: its status, what people have asked of it, and where both are shown. */
import {
  CancellationScope,
  type ChildWorkflowHandle,
  setCurrentDetails,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { workflowId } from '../contract/api.ts';
import type { RunPlan } from '../contract/run-plan.ts';
import type { RunStatus } from '../contract/status.ts';
import type { RoundInput, RoundOutput, RunState } from '../contract/workflows.ts';
import { renderDetails } from './details.ts';
import { Gate } from './gate.ts';
import { holdSignal, type RoundProgress } from './messages.ts';
import { searchAttributeKeys } from './search-attributes.ts';
import { StageTable } from './stage-table.ts';

export type RoundWorkflow = (input: RoundInput) => Promise<RoundOutput>;
/** An evaluation is a run of one round in which nothing is trained. */
type RunKind = 'self_training' | 'evaluation';
type Ending = 'completed' | 'cancelled' | 'failed';
type ShownAttributes = Readonly<Record<'round' | 'stage' | 'score', string | number | null>>;

/** The part of a status that is known for certain; the rest follows from what runs at the moment. */
type Known = Pick<
  RunStatus,
  'run_id' | 'round' | 'rounds' | 'rounds_done' | 'config' | 'last_result' | 'message'
>;

export class Run {
  readonly gate = new Gate(() => {
    this.show();
  });
  /** `ingest` belongs to the run; the other stages are told by the round. */
  readonly ownStages: StageTable;
  readonly kind: RunKind;
  stopRequested = false;
  #known: Known;
  #started = false;
  #ending: Ending | null = null;
  #child: ChildWorkflowHandle<RoundWorkflow> | null = null;
  #roundProgress: RoundProgress | null = null;
  /** How often the gate was opened or closed: the number of the last `hold`. */
  #holds = 0;
  #shown: ShownAttributes = { round: null, stage: null, score: null };

  constructor(state: RunState | undefined, kind: RunKind) {
    this.kind = kind;
    this.ownStages = new StageTable(
      kind === 'evaluation' ? [] : ['ingest'],
      () => Date.now(),
      () => {
        this.show();
      },
    );
    this.#known = state?.status ?? {
      run_id: runIdFrom(workflowInfo().workflowId),
      round: 0,
      rounds: 1,
      rounds_done: [],
      config: null,
      last_result: null,
      message: 'checking the config',
    };
    this.#started = state !== undefined;
    this.stopRequested = state?.stop_requested ?? false;
  }

  get known(): Known {
    return this.#known;
  }

  /** No more rounds will start, whatever is asked. */
  get ending(): boolean {
    return this.#ending !== null;
  }

  know(change: Partial<Known>): void {
    this.#known = { ...this.#known, ...change };
    this.show();
  }

  /** The config was found good: rounds can be counted. */
  start(plan: RunPlan, identity: Pick<Known, 'run_id' | 'config'>): void {
    this.#started = true;
    upsertSearchAttributes([
      { key: searchAttributeKeys.run, value: identity.run_id },
      { key: searchAttributeKeys.model, value: plan.model_label },
    ]);
    this.know({
      ...identity,
      rounds: plan.rounds,
      message:
        this.kind === 'evaluation'
          ? 'bringing in the model'
          : 'bringing in the model and the images',
    });
  }

  /** Whether another round follows, as far as is known now. */
  get goesOn(): boolean {
    return !this.stopping && this.#known.round < this.#known.rounds;
  }

  /** Whether the present round is the last, however many are planned. */
  get stopping(): boolean {
    return this.stopRequested || this.#known.rounds_done.at(-1)?.action === 'stop';
  }

  /** @returns its number */
  beginRound(): number {
    const round = this.#known.round + 1;
    this.#roundProgress = null;
    this.know({ round, message: `round ${String(round)} of ${String(this.#known.rounds)}` });
    return round;
  }

  end(ending: Ending, message: string): void {
    this.#ending = ending;
    this.know({ message });
  }

  status(): RunStatus {
    const stages = [...this.ownStages.snapshot(), ...(this.#roundProgress?.stages ?? [])];
    return { schema_version: 1, ...this.#known, state: this.#state(), stages };
  }

  /** Opens or closes the gate, here and in everything that runs below. */
  async hold(held: boolean): Promise<void> {
    this.#holds += 1;
    this.gate.set(held);
    await this.#tellChild();
  }

  /** Follows a round from its start to its end. */
  async follow(child: ChildWorkflowHandle<RoundWorkflow>): Promise<RoundOutput> {
    this.#child = child;
    try {
      // The run may have been paused while the child was starting.
      if (this.gate.closed) await this.#tellChild();
      return await child.result();
    } finally {
      this.#child = null;
    }
  }

  roundProgressed(progress: RoundProgress): void {
    if (progress.round !== this.#known.round) return;
    this.#roundProgress = progress;
    this.show();
  }

  finishRound({ round_result, decision, value }: RoundOutput, measure: string): void {
    const { round, rounds_done } = this.#known;
    const done = { round, action: decision.action, measure, value };
    this.know({
      last_result: round_result,
      rounds_done: [...rounds_done, done],
      message: `round ${String(round)}: ${decision.reason}`,
    });
  }

  /** Brings current details and search attributes up to date. */
  show(): void {
    const status = this.status();
    const { namespace, workflowId } = workflowInfo();
    setCurrentDetails(renderDetails(status, { namespace, workflowId }));
    const { round, stage, score } = searchAttributeKeys;
    const shown = {
      round: status.round,
      stage: status.stages.find(({ state }) => state === 'running')?.stage ?? null,
      score: status.rounds_done.at(-1)?.value ?? null,
    };
    const before = this.#shown;
    this.#shown = shown;
    const changed = [
      ...(shown.round === before.round ? [] : [{ key: round, value: shown.round }]),
      ...(shown.stage === before.stage ? [] : [{ key: stage, value: shown.stage }]),
      ...(shown.score === before.score ? [] : [{ key: score, value: shown.score }]),
    ];
    if (changed.length > 0) upsertSearchAttributes(changed);
  }

  #state(): RunStatus['state'] {
    if (this.#ending !== null) return this.#ending;
    if (this.gate.closed) {
      return this.gate.atRest && this.#childRests() ? 'paused' : 'pausing';
    }
    if (this.stopping) return 'stopping';
    return this.#started ? 'running' : 'starting';
  }

  /** What a round said about an earlier pause does not count. */
  #childRests(): boolean {
    if (this.#child === null) return true;
    const progress = this.#roundProgress;
    return progress?.at_rest === true && progress.hold === this.#holds;
  }

  async #tellChild(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    try {
      const { closed } = this.gate;
      const number = this.#holds;
      await CancellationScope.nonCancellable(() => child.signal(holdSignal, closed, number));
    } catch {
      // The round ended meanwhile: nothing of it is left to hold.
    }
  }
}

/** The run id that a workflow id made by {@link workflowId} stands for, else the id itself. */
function runIdFrom(id: string): string {
  const prefix = workflowId('');
  return id.startsWith(prefix) ? id.slice(prefix.length) : id;
}
