/** Artifacts of a run and what they were made from. */
import type { Lineage } from '../../../report/input.ts';
import { fakeHash } from './fixture-hash.ts';

export function ref(
  kind: Lineage['nodes'][number]['ref']['kind'],
  name: string,
): Lineage['nodes'][number]['ref'] {
  return { kind, key: fakeHash(name).slice(0, 32), sha256: fakeHash(`${name}!`), num_records: 540 };
}

export function lineage(rounds: number): Lineage {
  const nodes = [
    { ref: ref('model', 'model'), label: 'model' },
    { ref: ref('images', 'images'), label: 'images' },
    { ref: ref('instructions', 'instructions'), label: 'instructions' },
  ];
  const edges: { from: string; to: string }[] = [];
  const add = (
    kind: Lineage['nodes'][number]['ref']['kind'],
    label: string,
    sources: readonly string[],
  ): string => {
    const node = { ref: ref(kind, label), label };
    nodes.push(node);
    edges.push(...sources.map((from) => ({ from, to: node.ref.key })));
    return node.ref.key;
  };
  const [model, images, instructions] = nodes.map(({ ref: { key } }) => key);
  let policy = model ?? '';
  for (let round = 1; round <= rounds; round++) {
    const name = `round ${String(round)}`;
    const pairs = add('preference_pairs', `pairs, ${name}`, [images ?? '', policy]);
    const first = add('adapter', `adapter, ${name}, preference training`, [pairs, policy]);
    const infused = add('infused_examples', `infused examples, ${name}`, [
      instructions ?? '',
      first,
    ]);
    policy = add('adapter', `adapter, ${name}, infused training`, [infused, first]);
    add('scores', `scores, ${name}, after infused training`, [policy]);
  }
  return { nodes, edges };
}
