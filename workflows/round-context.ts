/** What the stages of one round share: progress, the pause gate and the open fan-outs. */
import {
  allHandlersFinished,
  CancellationScope,
  type ChildWorkflowHandle,
  condition,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { STAGES, type Stage } from '../contract/api.ts';
import type { RoundInput, ShardsInput } from '../contract/workflows.ts';
import { Gate } from './gate.ts';
import { holdSignal, roundProgressSignal, shardsProgressSignal } from './messages.ts';
import { ParentReporter } from './parent-reporter.ts';
import { StageTable } from './stage-table.ts';

export type ShardsWorkflow = (input: ShardsInput) => Promise<void>;

interface OpenFanOut {
  readonly handle: ChildWorkflowHandle<ShardsWorkflow>;
  readonly onDone: (done: number) => void;
  /** Number of the `hold` after which it came to rest. */
  atRest: number | null;
}

/** Registers the handlers of the round's signals and keeps the parent informed. */
export class RoundContext {
  readonly input: RoundInput;
  readonly workflowId = workflowInfo().workflowId;
  readonly gate = new Gate(() => {
    this.#report();
  });
  readonly stages: StageTable;
  readonly #parent = new ParentReporter(roundProgressSignal);
  readonly #fanOuts = new Map<string, OpenFanOut>();
  #hold = 0;

  constructor(input: RoundInput) {
    this.input = input;
    this.stages = new StageTable(
      stagesOf(input),
      () => Date.now(),
      () => {
        this.#report();
      },
    );
    setHandler(holdSignal, async (held, number) => {
      this.#hold = number;
      const told = [...this.#fanOuts.values()].map((fanOut) => this.#tell(fanOut, held));
      this.gate.set(held);
      await Promise.all(told);
    });
    setHandler(shardsProgressSignal, ({ workflow_id, done, at_rest, hold }) => {
      const fanOut = this.#fanOuts.get(workflow_id);
      if (fanOut === undefined) return;
      const rested = fanOut.atRest;
      fanOut.atRest = at_rest ? hold : null;
      fanOut.onDone(done);
      if (rested !== fanOut.atRest) this.#report();
    });
  }

  /** Registers an open fan-out: it is told of pauses, and `onDone` is told of its progress. */
  async track(
    handle: ChildWorkflowHandle<ShardsWorkflow>,
    onDone: (done: number) => void,
  ): Promise<void> {
    const fanOut = { handle, onDone, atRest: null };
    this.#fanOuts.set(handle.workflowId, fanOut);
    try {
      // The round may have been paused while the child was starting.
      if (this.gate.closed) await this.#tell(fanOut, true);
      await handle.result();
    } finally {
      this.#fanOuts.delete(handle.workflowId);
    }
  }

  /** Resolves when no message is under way: wait for it before the round ends. */
  async settled(): Promise<void> {
    await CancellationScope.nonCancellable(async () => {
      await condition(allHandlersFinished);
      await this.#parent.settled();
    });
  }

  async #tell(fanOut: OpenFanOut, held: boolean): Promise<void> {
    fanOut.atRest = null;
    try {
      await fanOut.handle.signal(holdSignal, held, this.#hold);
    } catch {
      // The fan-out ended meanwhile: nothing of it is left to hold.
    }
  }

  #report(): void {
    const fanOutsRest = [...this.#fanOuts.values()].every(({ atRest }) => atRest === this.#hold);
    this.#parent.report({
      round: this.input.round,
      stages: this.stages.snapshot(),
      at_rest: this.gate.atRest && fanOutsRest,
      hold: this.#hold,
    });
  }
}

/** Ingest is the run's; where nothing is trained, evaluating is all there is. */
function stagesOf({ plan }: RoundInput): Stage[] {
  const trains = plan.training_stages.length > 0;
  return STAGES.filter((stage) => (trains ? stage !== 'ingest' : stage === 'evaluation'));
}
