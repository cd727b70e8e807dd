/** Where every figure comes from: score -> adapter -> pairs -> images, by content hash. */
import type { JSX } from 'preact';
import { count, words } from '../format.ts';
import type { LineageNode, ReportInput } from '../input.ts';
import { path, sourcesOf } from '../lineage.ts';
import { Foreign, Hash, Section } from './text.tsx';

export function LineageSection({ input }: { readonly input: ReportInput }): JSX.Element {
  const { lineage } = input;
  if (lineage.nodes.length === 0) {
    return (
      <Section id="lineage" title="Lineage">
        <p class="empty">No artifact has been finished yet.</p>
      </Section>
    );
  }
  return (
    <Section
      id="lineage"
      title="Lineage"
      lead="Each artifact is named by the hash of what it was made from; equal content hashes mean equal bytes. How the last score came about:"
    >
      <ol class="path">
        {path(lineage).map((node) => (
          <li key={node.ref.key} class={node.ref.kind}>
            <a href={`#artifact-${node.ref.key}`}>
              <span class="kind">{words(node.ref.kind)}</span>
              <Hash value={node.ref.sha256} />
            </a>
          </li>
        ))}
      </ol>
      <details>
        <summary>All {count(lineage.nodes.length)} artifacts</summary>
        <ul class="artifacts">
          {lineage.nodes.map((node) => (
            <Artifact key={node.ref.key} node={node} sources={sourcesOf(lineage, node)} />
          ))}
        </ul>
      </details>
    </Section>
  );
}

function Artifact(props: {
  readonly node: LineageNode;
  readonly sources: readonly LineageNode[];
}): JSX.Element {
  const { node, sources } = props;
  return (
    <li id={`artifact-${node.ref.key}`}>
      <b>
        <Foreign text={node.label} />
      </b>{' '}
      <span class="nothing">
        {words(node.ref.kind)}
        {node.ref.num_records > 0 ? `, ${count(node.ref.num_records)} rows` : ''}
      </span>
      <code class="full-hash">sha256 {node.ref.sha256}</code>
      {sources.length === 0 ? null : (
        <span class="made-from">
          made from{' '}
          {sources.map((source) => (
            <a href={`#artifact-${source.ref.key}`} key={source.ref.key}>
              <Foreign text={source.label} />
            </a>
          ))}
        </span>
      )}
    </li>
  );
}
