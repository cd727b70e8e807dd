/** The status query and the updates of a run, with the rules that refuse what makes no sense. */
import { ApplicationFailure, setHandler } from '@temporalio/workflow';
import type { RunStatus } from '../contract/status.ts';
import {
  type ExtendRounds,
  extendRoundsUpdate,
  pauseUpdate,
  resumeUpdate,
  roundProgressSignal,
  statusQuery,
  stopAfterRoundUpdate,
} from './messages.ts';
import type { Run } from './run.ts';

/** As many as a config may ask for: the status of a run has to stay small. */
const MAX_ROUNDS = 50;

/**
 * Pausing starts nothing new at the borders of stages and shards; activities that run already go
 * on to their end (a training may take hours), and until then the state is `pausing`.
 */
export function handleMessages(run: Run): void {
  setHandler(statusQuery, () => run.status());
  setHandler(roundProgressSignal, (progress) => {
    run.roundProgressed(progress);
  });
  setHandler(
    pauseUpdate,
    async () => {
      await run.hold(true);
      return run.status();
    },
    {
      validator: () => {
        refuseWhen(run.gate.closed && 'the run is paused already', run);
      },
    },
  );
  setHandler(
    resumeUpdate,
    async () => {
      await run.hold(false);
      return run.status();
    },
    {
      validator: () => {
        refuseWhen(!run.gate.closed && 'the run is not paused', run);
      },
    },
  );
  setHandler(
    stopAfterRoundUpdate,
    () => {
      run.stopRequested = true;
      run.show();
      return run.status();
    },
    {
      validator: () => {
        const isOnly = run.kind === 'evaluation' && 'an evaluation is one round; cancel it instead';
        refuseWhen(isOnly || (run.stopping && 'the run stops after this round already'), run);
      },
    },
  );
  setHandler(extendRoundsUpdate, (input) => extend(run, input), {
    validator: (input) => {
      refuseWhen(whyNotExtend(run, input), run);
    },
  });
}

function extend(run: Run, { rounds }: ExtendRounds): RunStatus {
  run.know({ rounds: run.known.rounds + rounds });
  return run.status();
}

function whyNotExtend(run: Run, input: unknown): string | false {
  if (run.kind === 'evaluation') return 'an evaluation is one round; nothing changes in a second';
  if (run.stopping) return 'the run stops after this round; no rounds can be added any more';
  if (run.status().state === 'starting') return 'the config is not checked yet; ask again shortly';
  const rounds =
    typeof input === 'object' && input !== null && 'rounds' in input ? input.rounds : undefined;
  if (typeof rounds !== 'number' || !Number.isInteger(rounds) || rounds < 1) {
    return `expected {"rounds": <rounds to add, 1 or more>}, got ${input === undefined ? 'nothing' : JSON.stringify(input)}`;
  }
  const planned = run.known.rounds;
  return (
    planned + rounds > MAX_ROUNDS &&
    `${String(planned)} rounds are planned and ${String(rounds)} more would exceed ${String(MAX_ROUNDS)}`
  );
}

/** @param reason - false = there is none. */
function refuseWhen(reason: string | false, run: Run): void {
  const why = run.ending ? 'the run is ending' : reason;
  if (why === false) return;
  throw ApplicationFailure.nonRetryable(`Refused: ${why}.`, 'UpdateRefused');
}
