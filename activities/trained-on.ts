/** The images that a policy was trained on, over all rounds and runs, as the manifests of what it was made from say. */
import type { ArtifactRef } from '../contract/artifact.ts';
import type { Policy } from '../contract/status.ts';
import type { Store } from '../store/store.ts';
import { inputsOf } from './report-lineage.ts';

export interface TrainedOn {
  /** Of stage 1. */
  readonly images: readonly ArtifactRef[];
  /** Of stage 2. */
  readonly instructions: readonly ArtifactRef[];
}

/** Nothing for a base model, and for an adapter that came from outside of the workspace. */
export function trainedOn(store: Store, { adapter }: Policy): TrainedOn {
  const found = new Map<string, ArtifactRef>();
  const seen = new Set<string>();
  const open = adapter === null ? [] : [adapter];
  for (let ref = open.pop(); ref !== undefined; ref = open.pop()) {
    if (seen.has(ref.key)) continue;
    seen.add(ref.key);
    if (ref.kind === 'images' || ref.kind === 'instructions') found.set(ref.key, ref);
    else open.push(...inputsOf(store, ref));
  }
  const ofKind = (wanted: ArtifactRef['kind']): ArtifactRef[] =>
    [...found.values()]
      .filter(({ kind }) => kind === wanted)
      .sort((a, b) => a.key.localeCompare(b.key));
  return { images: ofKind('images'), instructions: ofKind('instructions') };
}
