/**
 * `npm run record-histories`: plays representative runs on a real server and keeps their histories for the replay
 * test. Run it when a release changes what histories look like, never to make a red replay green: runs that started
 * before the change would break as the test says.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
const folder = fileURLToPath(new URL('../tests/fixtures/histories', import.meta.url));
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--project', 'workflows', 'tests/workflows/recordings.test.ts'],
  { stdio: 'inherit', env: { ...process.env, STICFLOW_RECORD_HISTORIES: folder } },
);
process.exitCode = status ?? 1;
