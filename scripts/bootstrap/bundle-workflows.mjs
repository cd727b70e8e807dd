// Bundles the compiled workflows of a dist folder into DIST/workflow-bundle.js, which every worker of that
// build loads: replay then runs exactly the code that wrote the history.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';

const [dist] = process.argv.slice(2);
const { code } = await bundleWorkflowCode({ workflowsPath: join(dist, 'workflows', 'index.js') });
writeFileSync(join(dist, 'workflow-bundle.js'), code);
