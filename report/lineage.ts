/** Walks over the lineage graph of a run. Pure. */
import type { ArtifactKind } from '../contract/artifact.ts';
import type { Lineage, LineageNode } from './input.ts';

/** What a person follows from a figure back to the images, in this order of preference. */
const TOWARDS_IMAGES: readonly ArtifactKind[] = [
  'scores',
  'adapter',
  'infused_examples',
  'preference_pairs',
  'images',
];

/** The nodes that `node` was made from, in the order of the graph. */
export function sourcesOf({ nodes, edges }: Lineage, node: LineageNode): LineageNode[] {
  const keys = new Set(edges.filter(({ to }) => to === node.ref.key).map(({ from }) => from));
  return nodes.filter(({ ref }) => keys.has(ref.key));
}

/**
 * From the last scores back to the images: at each artifact on to the source that is nearest to
 * the images. Ends where there is none; a cycle, impossible in content-addressed artifacts but not in
 * damaged input, ends it too.
 */
export function path(lineage: Lineage): LineageNode[] {
  const start =
    lineage.nodes.findLast(({ ref }) => ref.kind === 'scores') ??
    lineage.nodes.findLast(({ ref }) => TOWARDS_IMAGES.includes(ref.kind));
  const walked: LineageNode[] = [];
  for (let node = start; node !== undefined && !walked.includes(node); ) {
    walked.push(node);
    node = nextTowardsImages(lineage, node);
  }
  return walked;
}

function nextTowardsImages(lineage: Lineage, node: LineageNode): LineageNode | undefined {
  const rank = ({ ref }: LineageNode): number => TOWARDS_IMAGES.indexOf(ref.kind);
  // An adapter is made from the adapter before it and from records: records tell more, so they win.
  const candidates = sourcesOf(lineage, node).filter((source) => rank(source) > 0);
  return candidates.toSorted((a, b) => rank(b) - rank(a))[0];
}
