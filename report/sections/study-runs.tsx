/** Every run of the study, also those that gave no figures, with the reason. */
import type { JSX } from 'preact';
import { words } from '../format.ts';
import type { StudyPageInput } from '../study-input.ts';
import { Foreign, Section } from './text.tsx';

export function StudyRuns({ input }: { readonly input: StudyPageInput }): JSX.Element {
  return (
    <Section
      id="runs"
      title="Runs"
      lead="Each run has a report of its own in the workspace: sticflow report RUN. A failed run is tried again when the study is started again."
    >
      <div class="scroll">
        <table class="runs">
          <thead>
            <tr>
              <th scope="col">Arm</th>
              <th scope="col">Seed</th>
              <th scope="col">Run</th>
              <th scope="col">State</th>
            </tr>
          </thead>
          <tbody>
            {input.result.runs.map(({ arm, seed, run_id, state, message }) => (
              <tr key={`${arm}/${String(seed)}`}>
                <th scope="row">
                  <Foreign text={arm} />
                </th>
                <td>{seed}</td>
                <td>{run_id === null ? null : <code>{run_id}</code>}</td>
                <td>
                  <span class={`run-state ${state}`}>{words(state)}</span>
                  {message === '' ? null : (
                    <span class="round">
                      <Foreign text={message} />
                    </span>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}
