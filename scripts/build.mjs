// `npm run build`: dist/ when sources changed. Tests call it too, so that they never run an old build.
import { join } from 'node:path';
import { exclusively } from '../cli/temporal-server/exclusive.mjs';
import { runSteps } from './bootstrap/steps.mjs';
import { typescriptBuild } from './bootstrap/typescript-build.mjs';
import { ROOT } from './bootstrap.mjs';

const step = typescriptBuild({ root: ROOT, logPath: join(ROOT, 'bootstrap.log') });
await exclusively(
  join(ROOT, '.build.lock'),
  () => runSteps([step], process.stderr),
  (pid) => process.stderr.write(`build: waiting for the build that process ${pid} runs\n`),
);
