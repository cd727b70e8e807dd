/** The whole configuration, one knob a line and spelled as `--set` takes it; prompts; environment. */
import type { JSX } from 'preact';
import type { Prompts } from '../../contract/prompts.ts';
import type { ReportInput } from '../input.ts';
import { Foreign, Section } from './text.tsx';

export function Config({ input }: { readonly input: ReportInput }): JSX.Element {
  const { config, prompts } = input;
  return (
    <Section id="config" title="Configuration">
      {config === null ? (
        <p class="empty">The run is not prepared yet.</p>
      ) : (
        <details>
          <summary>All knobs, as --set takes them</summary>
          <Knobs rows={flatten(config)} />
        </details>
      )}
      {prompts === null ? null : (
        <details>
          <summary>Prompts</summary>
          <PromptList prompts={prompts} />
        </details>
      )}
    </Section>
  );
}

export function Environment({ input }: { readonly input: ReportInput }): JSX.Element {
  const { versions, machine, platform, num_threads } = input.environment;
  const rows: [string, string][] = [
    ['machine', machine],
    ['platform', platform],
    ['threads', num_threads === null ? 'model process never ran' : String(num_threads)],
    ...Object.entries(versions),
  ];
  return (
    <Section
      id="environment"
      title="Environment"
      lead="Bytes repeat on the same machine type with the same versions and threads."
    >
      <Knobs rows={rows} />
    </Section>
  );
}

function Knobs({ rows }: { readonly rows: readonly (readonly [string, string])[] }): JSX.Element {
  return (
    <dl class="knobs">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>
            <Foreign text={name} />
          </dt>
          <dd>
            <Foreign text={value} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** `{a: {b: 1}}` -> `[['a.b', '1']]`; lists of plain values stay on one line. */
export function flatten(value: unknown, prefix = ''): [string, string][] {
  if (!isContainer(value)) return [[prefix, JSON.stringify(value)]];
  const entries = Object.entries(value);
  if (entries.length === 0 || (Array.isArray(value) && !value.some(isContainer))) {
    return [[prefix, JSON.stringify(value)]];
  }
  return entries.flatMap(([key, inner]) =>
    flatten(inner, prefix === '' ? key : `${prefix}.${key}`),
  );
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function PromptList({ prompts }: { readonly prompts: Prompts }): JSX.Element {
  const { well_crafted, normal, bad, infusion_template, describe_and_respond } = prompts;
  const all: [string, string, readonly string[]][] = [
    ['Well-crafted (chosen)', well_crafted.id, [well_crafted.text]],
    ['Normal', normal.id, normal.items],
    ['Bad (rejected)', bad.id, bad.items],
    ['Infusion template', infusion_template.id, [infusion_template.template]],
    [
      'Describe and respond',
      describe_and_respond.id,
      [describe_and_respond.description_prompt, describe_and_respond.question_template],
    ],
  ];
  return (
    <>
      {all.map(([title, id, texts]) => (
        <div class="prompts" key={title}>
          <h4>
            {title} <code>{id}</code>
          </h4>
          <ol>
            {texts.map((text, index) => (
              <li key={index}>
                <Foreign text={text} />
              </li>
            ))}
          </ol>
        </div>
      ))}
    </>
  );
}
