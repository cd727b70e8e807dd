/** Where t-SNE puts the images, how near each set is to the unlabelled ones, and what it gained. */
import type { JSX } from 'preact';
import type { FeaturesResult } from '../../contract/study.ts';
import { CONFIDENCE, count, points, pointsInterval } from '../format.ts';
import type { StudyPageInput } from '../study-input.ts';
import { Chart, Foreign, Section } from './text.tsx';

export function StudyFeatures(props: {
  readonly input: StudyPageInput;
  readonly map: string | null;
}): JSX.Element | null {
  const { features } = props.input.result;
  if (features === null) return null;
  const sets = [...new Set(features.points.map(({ set }) => set))];
  return (
    <Section
      id="features"
      title="Image features"
      lead="Mean over the tokens of the vision tower's last layer of the base model. t-SNE keeps neighbours together; distances between groups and the axes mean nothing."
    >
      {props.map === null ? null : (
        <>
          <ul class="legend">
            {sets.map((set, index) => (
              <li class={`map-${String(index)}`} key={set}>
                <Foreign text={set} /> (
                {count(features.points.filter((one) => one.set === set).length)})
              </li>
            ))}
          </ul>
          <Chart title="All images by t-SNE" svg={props.map} />
        </>
      )}
      <h3>Overlap with the unlabelled images</h3>
      <p class="lead">
        Mixing is 1 and MMD about 0 where both sets are of one distribution. The Fréchet distance is
        larger the fewer images a set has: compare it between sets of one size only.
      </p>
      <OverlapTable features={features} />
      <Correlation features={features} />
    </Section>
  );
}

function OverlapTable({ features }: { readonly features: FeaturesResult }): JSX.Element {
  return (
    <table class="plain">
      <thead>
        <tr>
          <th scope="col">Set</th>
          <th scope="col">Images</th>
          <th scope="col">Fréchet distance²</th>
          <th scope="col">MMD²</th>
          <th scope="col">Mixing</th>
          <th scope="col">Gain, points</th>
        </tr>
      </thead>
      <tbody>
        {features.overlaps.map(({ set, num_images, frechet, mmd, mixing }) => {
          const gain = features.gains.find((one) => one.set === set)?.gain ?? null;
          return (
            <tr key={set}>
              <th scope="row">
                <Foreign text={set} />
              </th>
              <td>{count(num_images)}</td>
              <td>{frechet.toPrecision(3)}</td>
              <td>{mmd.toFixed(4)}</td>
              <td>{mixing.toFixed(2)}</td>
              <td>
                {gain === null ? (
                  <span class="nothing">not measured</span>
                ) : (
                  <>
                    <span class="value">{points(gain.value)}</span>
                    <span class="interval">{pointsInterval(gain)}</span>
                  </>
                )}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Correlation({ features }: { readonly features: FeaturesResult }): JSX.Element {
  const { correlation } = features;
  if (correlation === null) return <p class="empty">No correlation: gains do not vary.</p>;
  const { value, low, high, n } = correlation;
  const shown = low > 0 || high < 0;
  return (
    <p class="lead">
      Over {count(n)} images, Spearman's correlation of an image's distance to its nearest
      unlabelled images with its gain is {signed(value)} ({CONFIDENCE} interval {signed(low)} to{' '}
      {signed(high)}):{' '}
      {shown
        ? `images that are ${value < 0 ? 'near' : 'far'} gain more`
        : 'no connection is shown, the interval includes zero'}
      .
    </p>
  );
}

function signed(correlation: number): string {
  return correlation.toFixed(2).replace('-', '\u2212');
}
