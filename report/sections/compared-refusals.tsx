/** Sets that were not measured alike, with the reasons. */
import type { JSX } from 'preact';
import type { ComparisonPageInput } from '../comparison-input.ts';
import { Foreign, Section } from './text.tsx';

export function ComparedRefusals({
  input,
}: {
  readonly input: ComparisonPageInput;
}): JSX.Element | null {
  if (input.refused.length === 0) return null;
  return (
    <Section
      id="refused"
      title="Not compared"
      lead="A difference in how a set was measured would be taken for a difference of the policies."
    >
      <ul class="records">
        {input.refused.map(({ set, reasons }) => (
          <li key={set}>
            <Foreign text={set} />
            {reasons.map((reason) => (
              <small key={reason}>
                <Foreign text={reason} />
              </small>
            ))}
          </li>
        ))}
      </ul>
    </Section>
  );
}
