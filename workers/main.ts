/** `node dist/workers/main.js --role gpu`: one worker, as the CLI and a container start it. */
import { parseArgs } from 'node:util';
import { TASK_QUEUES, type WorkerRole } from '../contract/api.ts';
import { type RoleWorker, serve } from './serve.ts';

const ROLES = {
  // Imported by role: the orchestrator does not need sharp, the others do not need the bundle.
  orchestrator: async () => (await import('./orchestrator.ts')).orchestratorWorker(),
  cpu: async () => (await import('./cpu.ts')).cpuWorker(),
  gpu: async () => (await import('./gpu.ts')).gpuWorker(),
} as const satisfies Record<WorkerRole, () => Promise<RoleWorker>>;

const { values } = parseArgs({ options: { role: { type: 'string' } } });
if (values.role === undefined || !isRole(values.role)) {
  process.stderr.write(
    `Expected --role to be one of ${Object.keys(ROLES).join(', ')}, got ${String(values.role)}\n`,
  );
  process.exit(2);
}
await serve(values.role, await ROLES[values.role]());

function isRole(name: string): name is WorkerRole {
  return name in TASK_QUEUES;
}
