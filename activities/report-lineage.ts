/** From scores back to images: artifacts and what they were made from, as the manifests say. */
import type { ArtifactRef } from '../contract/artifact.ts';
import { LINEAGE_KINDS, type Lineage } from '../report/input.ts';
import { readManifest } from '../store/manifest.ts';
import type { Store } from '../store/store.ts';

/** Everything that the last round result goes back to; shard-level artifacts are passed through. */
export function lineageOf(store: Store, last: ArtifactRef | null): Lineage {
  const nodes = new Map<string, ArtifactRef>();
  const edges = new Map<string, { from: string; to: string }>();
  const seen = new Set<string>();
  const visit = (ref: ArtifactRef, shownBelow: string | null): void => {
    const isShown = LINEAGE_KINDS.includes(ref.kind);
    if (isShown && shownBelow !== null) {
      edges.set(`${ref.key}>${shownBelow}`, { from: ref.key, to: shownBelow });
    }
    const below = isShown ? ref.key : shownBelow;
    const mark = `${ref.key}>${String(below)}`;
    if (seen.has(mark)) return;
    seen.add(mark);
    if (isShown) nodes.set(ref.key, ref);
    for (const input of inputsOf(store, ref)) visit(input, below);
  };
  if (last !== null) visit(last, null);
  return {
    nodes: [...nodes.values()].map((ref) => ({ ref, label: ref.kind.replaceAll('_', ' ') })),
    edges: [...edges.values()],
  };
}

/** What an artifact was made from. Its bytes are not read: a page is written after every round. */
export function inputsOf(store: Store, ref: ArtifactRef): readonly ArtifactRef[] {
  return readManifest(store.directory(ref))?.inputs ?? [];
}
