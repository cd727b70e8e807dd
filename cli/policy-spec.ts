/** A policy of a run as people name it: `RUN`, `RUN:ROUND` or `RUN:ROUND:POLICY`. */
import type { ArtifactRef } from '../contract/artifact.ts';
import { EvaluatedPolicy, type Policy, RoundResult, type RunStatus } from '../contract/status.ts';
import type { Store } from '../store/store.ts';
import { badPolicy, noPolicyYet } from './policy-errors.ts';

export interface PolicySpec {
  readonly runId: string;
  /** null = the last finished round. */
  readonly round: number | null;
  /** null = the policy that the round ended with. */
  readonly policy: EvaluatedPolicy | null;
}

/** @throws CliError when the text has another form */
export function parsePolicySpec(text: string): PolicySpec {
  const [runId = '', round, policy, ...more] = text.replace(/^sticflow\//, '').split(':');
  const number = round === undefined ? null : Number(round);
  const named = policy === undefined ? null : EvaluatedPolicy.safeParse(policy);
  const isRound = number === null || (Number.isInteger(number) && number >= 1);
  if (runId === '' || !isRound || named?.success === false || more.length > 0) {
    throw badPolicy(text, `the form is RUN, RUN:ROUND or RUN:ROUND:POLICY`);
  }
  return { runId, round: number, policy: named?.data ?? null };
}

export interface FoundPolicy {
  readonly round: RoundResult;
  /** By the name its scores have. */
  readonly name: EvaluatedPolicy;
  readonly policy: Policy;
}

/** @throws CliError when the run has no such round or policy (yet) */
export async function findPolicy(
  store: Store,
  status: RunStatus,
  { round: wanted, policy: name }: PolicySpec,
): Promise<FoundPolicy> {
  for (let ref = status.last_result; ref !== null; ) {
    const round: RoundResult = await store.readJson(ref, 'round_result.json', RoundResult);
    if (wanted === null || round.round === wanted) return policyOf(round, name, status.run_id);
    ref = round.previous;
  }
  if (wanted === null) throw noPolicyYet(status.run_id);
  throw badPolicy(`${status.run_id}:${wanted}`, `the run has no finished round ${wanted}`);
}

function policyOf(round: RoundResult, name: EvaluatedPolicy | null, runId: string): FoundPolicy {
  const trained = (['infused_training', 'preference_training'] as const).find(
    (stage) => adapterOf(round, stage) !== undefined,
  );
  const chosen = name ?? trained ?? 'base';
  if (chosen === 'base') return { round, name: chosen, policy: round.start_policy };
  const adapter = adapterOf(round, chosen);
  if (adapter !== undefined) {
    return { round, name: chosen, policy: { ...round.start_policy, adapter } };
  }
  const spec = `${runId}:${round.round}:${chosen}`;
  throw badPolicy(spec, `the round trained ${trained ?? 'nothing'} last and has no ${chosen}`);
}

function adapterOf(
  { artifacts }: RoundResult,
  stage: 'preference_training' | 'infused_training',
): ArtifactRef | undefined {
  return artifacts[`adapter_${stage}`];
}
