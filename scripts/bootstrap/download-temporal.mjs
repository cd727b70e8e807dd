// Downloads the Temporal CLI with the SDK's own downloader into an empty folder and prints where it lies.
// A program of its own: the SDK cannot be told to give up, a process can end.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';

/** A host that is out of reach may swallow packets instead of refusing them. */
const STALL_SECONDS = 20;

const [folder, version] = process.argv.slice(2);

const downloadedBytes = () =>
  readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);

let seenBytes = 0;
let lastGrowth = performance.now();
const watch = setInterval(() => {
  const bytes = downloadedBytes();
  if (bytes > seenBytes) lastGrowth = performance.now();
  seenBytes = bytes;
  if (performance.now() - lastGrowth < STALL_SECONDS * 1000) return;
  console.error(`The download of the Temporal CLI made no progress for ${STALL_SECONDS} s.`);
  process.exit(1);
}, 500);

const environment = await TestWorkflowEnvironment.createLocal({
  server: { executable: { type: 'cached-download', downloadDir: folder, version } },
});
clearInterval(watch);
await environment.teardown();
const [file] = readdirSync(folder).filter((name) => !name.endsWith('.downloading'));
console.log(`downloaded: ${join(folder, file)}`);
