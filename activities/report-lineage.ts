/** From scores back to images: artifacts and what they were made from, as the manifests say. */
import type { ArtifactRef } from '../contract/artifact.ts';
import { LINEAGE_KINDS, type Lineage } from '../report/input.ts';
import type { Store } from '../store/store.ts';

/** Everything that the last round result goes back to; shard-level artifacts are passed through. */
export async function lineageOf(store: Store, last: ArtifactRef | null): Promise<Lineage> {
  const nodes = new Map<string, ArtifactRef>();
  const edges = new Map<string, { from: string; to: string }>();
  const seen = new Set<string>();
  const visit = async (ref: ArtifactRef, shownBelow: string | null): Promise<void> => {
    const isShown = LINEAGE_KINDS.includes(ref.kind);
    if (isShown && shownBelow !== null) {
      edges.set(`${ref.key}>${shownBelow}`, { from: ref.key, to: shownBelow });
    }
    const below = isShown ? ref.key : shownBelow;
    const mark = `${ref.key}>${String(below)}`;
    if (seen.has(mark)) return;
    seen.add(mark);
    if (isShown) nodes.set(ref.key, ref);
    const { inputs } = await store.verify(ref);
    for (const input of inputs) await visit(input, below);
  };
  if (last !== null) await visit(last, null);
  return {
    nodes: [...nodes.values()].map((ref) => ({ ref, label: ref.kind.replaceAll('_', ' ') })),
    edges: [...edges.values()],
  };
}
