/**
 * `npm run -s bench -- NAME [OPTIONS]`: one benchmark, timed beside its peer in the same run. Progress goes to
 * stderr; stdout ends with one line of JSON, `{"name","peer","ratio","details"}`, which `--out FILE` also keeps.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { durability } from './durability.ts';
import { orchestration } from './orchestration.ts';
import { dpoStep, evaluation, generate, infusedStep } from './python-benches.ts';
import type { Bench } from './result.ts';

const BENCHES: Readonly<Record<string, Bench>> = {
  'dpo-step': dpoStep,
  'infused-step': infusedStep,
  generate,
  eval: evaluation,
  orchestration,
  durability,
};

const USAGE = `usage: npm run -s bench -- NAME [--json] [--out FILE] [OPTIONS]

  dpo-step       a preference step beside TRL's DPOTrainer          --family llava|llava_next --rounds N ...
  infused-step   a packed step beside padded rows                    --micro-batch N --longest N ...
  generate       descriptions a second beside a batch-1 loop         --family llava|llava_next|scenes --images N ...
  eval           evaluation beside one question at a time           --images N ...
  orchestration  wall time of a run over the sum of its model work   --config NAME --set key=value ...
  durability     a run with and without Temporal and checkpoints     --config NAME --set key=value ...

--json prints the JSON line alone.`;

const { values, positionals, tokens } = parseArgs({
  allowPositionals: true,
  strict: false,
  tokens: true,
  options: {
    json: { type: 'boolean' },
    out: { type: 'string' },
    config: { type: 'string' },
    set: { type: 'string', multiple: true },
  },
});

const [name = ''] = positionals;
const bench = BENCHES[name];
if (bench === undefined) {
  console.error(
    `Expected NAME to be one of ${Object.keys(BENCHES).join(', ')}, got "${name}".\n\n${USAGE}`,
  );
  process.exit(2);
}

const OURS = new Set(['json', 'out', 'config', 'set']);
const firstOption = tokens.findIndex(({ kind }) => kind === 'option');
const others = tokens
  .slice(Math.max(0, firstOption))
  .flatMap((token) => {
    if (token.kind === 'option' && !OURS.has(token.name)) return [token.rawName, token.value ?? []];
    return token.kind === 'positional' && token.value !== name ? [token.value] : [];
  })
  .flat();
const say = (progress: string): void => {
  if (values['json'] !== true) console.error(progress);
};
const result = await bench({
  config: typeof values['config'] === 'string' ? values['config'] : null,
  overrides: (values['set'] ?? []) as string[], // `multiple` makes it a list
  others,
  say,
});
const line = JSON.stringify(result);
if (typeof values['out'] === 'string') writeFileSync(values['out'], `${line}\n`);
console.log(line);
