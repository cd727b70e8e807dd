/** Sentences about a policy that a person named and that is not there, or not as it was named. */
import { CliError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

export function noPolicyYet(run: string): CliError {
  return new CliError(
    'Refused',
    `Expected a run with a finished round, got ${run}, which has none. Wait for one with \`sticflow watch ${run}\`.`,
    EXIT.refused,
  );
}

export function badPolicy(spec: string, why: string): CliError {
  return new CliError(
    'PolicyNotFound',
    `Expected a policy of a run, such as scenes-1f2e3d4c5b:1:infused_training, got "${spec}": ${why}. \`sticflow result RUN\` shows rounds and policies.`,
    EXIT.usage,
  );
}

/** What `sticflow eval --model` names is no folder and no run of the workspace. */
export function unknownModel(name: string, runs: readonly string[]): CliError {
  const hint =
    runs.length === 0
      ? 'No run was started in this workspace yet.'
      : `Runs of this workspace: ${runs.slice(0, 10).join(', ')}.`;
  return new CliError(
    'ModelNotFound',
    `Expected a checkpoint folder, hub:<owner>/<name>@<commit>, builtin:<name> or a policy RUN[:ROUND[:POLICY]], got "${name}": there is no such folder here and no such run. ${hint}`,
    EXIT.usage,
  );
}

export function adapterOfPolicy(model: string): CliError {
  return new CliError(
    'Usage',
    `Expected --adapter beside a checkpoint, got it beside the policy "${model}", which has its own adapter. Drop --adapter, or name the checkpoint that it is for.`,
    EXIT.usage,
  );
}

/** A policy that exists and was not measured. `others` were, in the same round. */
export function notScored(name: string, policy: string, others: readonly string[]): CliError {
  const hint =
    others.length === 0
      ? 'Its config has no evaluation set.'
      : `Scored in that round: ${others.join(', ')}.`;
  return new CliError(
    'NotScored',
    `Expected scores of ${policy} for ${name}, there are none. ${hint} \`sticflow eval --model ${name}\` measures it.`,
    EXIT.usage,
  );
}

export function cannotWritePage(path: string, cause: unknown): CliError {
  return new CliError(
    'CannotWrite',
    `Expected to write the page to ${path}, and it cannot be written. Name a file in a folder that exists and is yours.`,
    EXIT.usage,
    { cause },
  );
}
