/** A policy by its bytes, as it stands on every record that it made. */
import type { PolicyId } from '../contract/records.ts';
import type { Policy } from '../contract/status.ts';

export function policyId({ model, adapter }: Policy): PolicyId {
  return { model_sha256: model.sha256, adapter_sha256: adapter?.sha256 ?? null };
}
