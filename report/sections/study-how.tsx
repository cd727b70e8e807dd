/** What was run: sizes, what each arm changes, and what a reader has to know. */
import type { JSX } from 'preact';
import type { StudyArm } from '../../contract/study.ts';
import { count, counted } from '../format.ts';
import type { StudyPageInput } from '../study-input.ts';
import { Foreign, Section } from './text.tsx';

export function StudyHow({ input }: { readonly input: StudyPageInput }): JSX.Element {
  const { request, result } = input;
  const { description, size } = request;
  return (
    <Section id="how" title="How it was made">
      <ul class="remarks">
        {[...sizeFacts(input), ...description.remarks].map((remark) => (
          <li key={remark}>
            <Foreign text={remark} />
          </li>
        ))}
      </ul>
      <h3>Arms</h3>
      <div class="scroll">
        <table class="arms">
          <thead>
            <tr>
              <th scope="col">Arm</th>
              <th scope="col">Changes to the base config</th>
            </tr>
          </thead>
          <tbody>
            {description.arms.map((arm) => (
              <tr key={arm.name}>
                <th scope="row">
                  <Foreign text={arm.title} />
                  <span class="round">
                    <Foreign text={arm.name} />
                  </span>
                </th>
                <td>
                  <code>
                    <Foreign text={changesText(arm, size)} />
                  </code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="source">
        Study {result.study_id}; the same description, size, base and seeds give the same figures on
        the same machine, and on any machine where the base names its number of threads.
      </p>
    </Section>
  );
}

/** The size in figures, so that a quick study cannot be taken for a full one. */
function sizeFacts({ request, runs }: StudyPageInput): string[] {
  const { size, base, seeds } = request;
  const images = base.preference.images_per_round;
  const per_round = images === null ? 'all images a round' : `${count(images)} images a round`;
  const examples = base.infusion?.num_examples ?? null;
  const infused = examples === null ? '' : `, ${counted(examples, 'infused example')}`;
  return [
    `Size "${size}": ${counted(seeds.length, 'seed')} (${seeds.join(', ')}), ${counted(runs.length, 'run')}; the base config has ${per_round}${infused}.`,
  ];
}

function changesText({ set, set_by_size, nearest_images }: StudyArm, size: string): string {
  const bySize = Object.entries(set_by_size).find(([name]) => name === size)?.[1] ?? {};
  const changes = Object.entries({ ...set, ...bySize }).map(
    ([key, value]) => `${key}=${JSON.stringify(value)}`,
  );
  const selected =
    nearest_images === null
      ? []
      : [`images ${nearest_images.order} to the set ${nearest_images.evaluation_set}`];
  return [...changes, ...selected].join(', ') || 'none';
}
