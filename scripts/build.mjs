// `npm run build`: dist/ when sources changed. Tests call it too, so that they never run an old build.
import { join } from 'node:path';
import { exclusively } from '../cli/temporal-server/exclusive.mjs';
import { orExit } from './bootstrap/setup-error.mjs';
import { runSteps } from './bootstrap/steps.mjs';
import { typescriptBuild } from './bootstrap/typescript-build.mjs';
import { LOCK_PATH, ROOT, tellWaiting } from './bootstrap.mjs';

const step = typescriptBuild({ root: ROOT, logPath: join(ROOT, 'bootstrap.log') });
await orExit(() =>
  exclusively(LOCK_PATH, () => runSteps([step], process.stderr), tellWaiting(process.stderr)),
);
