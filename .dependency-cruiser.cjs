// Who may import what: folders are roles, and a role reaches only what this table names for it.
// CONTRIBUTING.md shows the same table to people; tests/unit/setup plants violations and sees red.

/**
 * `values`: folders or files whose values may be imported. `types`: those of which `import type`
 * may be used too. `npm`: packages. `node`: built-in modules ('all', or a list of names).
 */
const BORDERS = {
  contract: { values: [], types: [], npm: ['zod'], node: [] },
  store: { values: ['contract/'], types: [], npm: ['zod'], node: 'all' },
  workflows: {
    // contract/api.ts has no zod in it: what runs in the deterministic sandbox stays light and pure.
    values: ['contract/api\\.ts$'],
    types: ['contract/', 'activities/'],
    npm: ['@temporalio/workflow', '@temporalio/common'],
    node: [],
  },
  benchmarks: {
    values: ['contract/'],
    types: [],
    npm: ['zod', 'hyparquet', 'hyparquet-compressors'],
    // Reading users' files; eslint forbids the writing half of node:fs in this folder.
    node: ['fs', 'fs/promises', 'path'],
  },
  studies: { values: ['contract/', 'benchmarks/'], types: [], npm: ['zod'], node: [] },
  activities: {
    values: ['contract/', 'store/', 'report/', 'benchmarks/', 'studies/'],
    types: [],
    npm: ['@temporalio/activity', '@temporalio/common', 'sharp', 'execa', 'openai', 'yaml', 'zod'],
    node: 'all',
  },
  report: {
    values: ['contract/'],
    types: [],
    npm: ['vega', 'vega-lite', 'preact', 'preact-render-to-string'],
    node: [],
  },
  workers: {
    // Workflows reach a worker as a bundle path only, never as an import.
    values: ['contract/', 'store/', 'activities/'],
    types: [],
    npm: [
      '@temporalio/worker',
      '@temporalio/activity',
      '@temporalio/common',
      '@temporalio/envconfig',
      'pino',
    ],
    node: 'all',
  },
  cli: {
    values: [
      ...['contract/', 'store/', 'report/', 'benchmarks/', 'studies/', 'workers/'],
      // The page of a comparison needs no server, so no activity can make its images.
      'activities/thumbnail\\.ts$',
      // Ranks of other hosts are model processes that no activity starts: they see the same variables.
      'activities/model-process-environment\\.ts$',
    ],
    types: ['workflows/'],
    npm: [
      '@temporalio/client',
      '@temporalio/common',
      '@temporalio/envconfig',
      'commander',
      'execa',
      'yaml',
      'zod',
    ],
    node: 'all',
  },
};

const packagePath = (name) => `^node_modules/(@types/)?${name}/`;

/** Turns one row of the table into the rules that enforce it. */
function rulesOf([role, border]) {
  const from = { path: `^${role}/` };
  const values = [`${role}/`, ...border.values].map((path) => `^${path}`);
  const types = [...values, ...border.types.map((path) => `^${path}`)];
  const packages = border.npm.map(packagePath);
  const comment = `${role}/ may import only what its row in .dependency-cruiser.cjs names.`;
  const rules = [
    {
      name: `${role}-values`,
      severity: 'error',
      comment,
      from,
      to: {
        pathNot: [...values, ...packages],
        dependencyTypesNot: ['core', 'type-only', 'unknown'],
      },
    },
    {
      name: `${role}-types`,
      severity: 'error',
      comment,
      from,
      to: {
        pathNot: [...types, ...packages],
        dependencyTypes: ['type-only'],
        dependencyTypesNot: ['core'],
      },
    },
  ];
  if (border.node !== 'all') {
    rules.push({
      name: `${role}-builtins`,
      severity: 'error',
      comment,
      from,
      to: {
        dependencyTypes: ['core'],
        pathNot: border.node.map((name) => `^${name}$`),
      },
    });
  }
  return rules;
}

module.exports = {
  forbidden: [
    ...Object.entries(BORDERS).flatMap(rulesOf),
    {
      name: 'no-circular',
      severity: 'error',
      comment: 'A cycle means that two files have one subject between them.',
      from: {},
      to: { circular: true },
    },
    {
      name: 'not-to-unresolvable',
      severity: 'error',
      comment: 'The import resolves to nothing on disk.',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'not-to-dev-dependency',
      severity: 'error',
      comment: 'Shipped code may not need a development dependency.',
      from: { path: `^(${Object.keys(BORDERS).join('|')})/` },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'not-to-tests',
      severity: 'error',
      comment: 'Nothing outside tests/ may lean on tests/.',
      from: { pathNot: '^tests/' },
      to: { path: '^tests/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|\\.venv[^/]*|tests/fixtures)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.tsx', '.mjs', '.js', '.cjs', '.json'],
    },
  },
};
