import { defineConfig } from 'vitest/config';

/** Needs a built `dist` and the one Temporal dev server that all files of a run share. */
const withServer = { globalSetup: ['tests/setup/global.ts'] };

export default defineConfig({
  test: {
    // Worker threads crash the Temporal native bridge (sdk-typescript issue 876).
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['tests/unit/**/*.test.{ts,tsx}'], testTimeout: 20_000 },
      },
      {
        extends: true,
        test: { name: 'browser', include: ['tests/browser/**/*.test.ts'], testTimeout: 60_000 },
      },
      {
        extends: true,
        test: {
          ...withServer,
          name: 'workflows',
          include: ['tests/workflows/**/*.test.ts'],
          // A history of hundreds of shards takes a quarter of a minute, and four times that on a busy machine.
          testTimeout: 180_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          ...withServer,
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          // Each file starts workers and model processes of its own; two at once fight for the cores.
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
