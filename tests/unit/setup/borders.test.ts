// The import rules are worth what they catch: bad imports are planted in a tree of their own.
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../setup/programs.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const CRUISER = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');

/** A tree with one clean file per role, and whatever is planted. */
function cruise(planted: Readonly<Record<string, string>>) {
  const tree = temporaryFolder();
  const files = {
    'tsconfig.json': '{ "compilerOptions": { "module": "nodenext" } }',
    'contract/api.ts': 'export const QUEUE = 1;',
    'contract/config.ts': 'export const CONFIG = 1;',
    'store/store.ts':
      "import { CONFIG } from '../contract/config.ts';\nexport const STORE = CONFIG;",
    'activities/images.ts':
      "import { STORE } from '../store/store.ts';\nexport const IMAGES = STORE;",
    'cli/main.ts': "import { STORE } from '../store/store.ts';\nexport const MAIN = STORE;",
    'workflows/round.ts': [
      "import { QUEUE } from '../contract/api.ts';",
      "import type { CONFIG } from '../contract/config.ts';",
      'export const ROUND: typeof CONFIG = QUEUE;',
    ].join('\n'),
    ...planted,
  };
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, name)), { recursive: true });
    writeFileSync(join(tree, name), `${text}\n`);
  }
  cpSync(join(ROOT, '.dependency-cruiser.cjs'), join(tree, '.dependency-cruiser.cjs'));
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [CRUISER, '--config', '.dependency-cruiser.cjs', '.'],
    { cwd: tree, encoding: 'utf8' },
  );
  return { status, output: stdout + stderr };
}

/** Rule that must be broken, file that breaks it, what it imports. */
const PLANTED = [
  ['workflows-builtins', 'workflows/disk.ts', 'node:fs', 'readFileSync'],
  ['workflows-values', 'workflows/schema.ts', '../contract/config.ts', 'CONFIG'],
  ['workflows-values', 'workflows/verb.ts', '../activities/images.ts', 'IMAGES'],
  ['contract-builtins', 'contract/disk.ts', 'node:path', 'join'],
  ['contract-values', 'contract/store.ts', '../store/store.ts', 'STORE'],
  ['report-builtins', 'report/disk.ts', 'node:fs', 'readFileSync'],
  ['benchmarks-builtins', 'benchmarks/process.ts', 'node:child_process', 'spawn'],
  ['store-values', 'store/verb.ts', '../activities/images.ts', 'IMAGES'],
  ['activities-values', 'activities/command.ts', '../cli/main.ts', 'MAIN'],
  ['workers-values', 'workers/workflow.ts', '../workflows/round.ts', 'ROUND'],
  ['cli-values', 'cli/verb.ts', '../activities/images.ts', 'IMAGES'],
  ['no-circular', 'store/first.ts', './second.ts', 'good'],
] as const;

describe('dependency-cruiser', () => {
  it('accepts a tree that keeps to the table', () => {
    expect(cruise({})).toMatchObject({ status: 0 });
  });

  it('is red on a planted bad import and names rule, file and import for each', () => {
    const planted = PLANTED.map(([, file, from, name]): [string, string] => [
      file,
      `import { ${name} as it } from '${from}';\nexport const bad = it;`,
    ]);

    const { status, output } = cruise({
      ...Object.fromEntries(planted),
      // The other half of the cycle, which is reported once.
      'store/second.ts': "import { bad } from './first.ts';\nexport const good = bad;",
    });

    expect(status).not.toBe(0);
    for (const [rule, file] of PLANTED) expect(output).toContain(`error ${rule}: ${file}`);
    // No rule fires where nothing was planted.
    expect(output.match(/^ {2}error /gm)).toHaveLength(PLANTED.length);
  });
});

/** import-linter over a copy of the Python package with one line added to one module. */
function lintPython(module?: string, line?: string) {
  const tree = temporaryFolder();
  cpSync(join(ROOT, 'python/sticflow_ml'), join(tree, 'sticflow_ml'), { recursive: true });
  cpSync(join(ROOT, 'python/pyproject.toml'), join(tree, 'pyproject.toml'));
  if (module !== undefined) {
    appendFileSync(join(tree, 'sticflow_ml', module), `\n${line ?? ''}\n`);
  }
  const { status, stdout, stderr } = spawnSync(
    join(ROOT, '.venv/bin/lint-imports'),
    ['--config', 'pyproject.toml', '--no-cache', '--no-logo'],
    {
      cwd: tree,
      encoding: 'utf8',
      env: { ...process.env, PYTHONPATH: [tree, process.env['PYTHONPATH']].join(delimiter) },
    },
  );
  return { status, output: stdout + stderr };
}

describe('import-linter', () => {
  it('accepts the package as it is', () => {
    expect(lintPython()).toMatchObject({ status: 0 });
  });

  it.each([
    ['losses.py', 'import transformers', 'Losses are pure'],
    ['contract.py', 'import torch', 'The contract stands on pydantic alone'],
    ['model.py', 'from sticflow_ml import generate', 'Requests are dispatched downwards'],
    ['trainer.py', 'from sticflow_ml.scenes import world', 'does not know the embedded world'],
  ])('reports %s with a planted `%s`', (module, line, contract) => {
    const { status, output } = lintPython(module, line);

    expect(status).not.toBe(0);
    expect(output).toMatch(new RegExp(`${contract}.* BROKEN`));
  });
});
