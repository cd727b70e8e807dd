/** The SDK's one runtime of this process, silent: tests provoke failures by the dozen, and assert them. */
import {
  DefaultLogger,
  makeTelemetryFilterString,
  Runtime,
  type RuntimeOptions,
} from '@temporalio/worker';

const options: RuntimeOptions = {
  logger: new DefaultLogger('ERROR'),
  telemetryOptions: {
    logging: { filter: makeTelemetryFilterString({ core: 'ERROR', other: 'ERROR' }) },
  },
};

let installed = false;

/** Call it before the first connection or replay; it may be called again. */
export function installRuntime(): void {
  if (installed) return;
  Runtime.install(options);
  installed = true;
}
