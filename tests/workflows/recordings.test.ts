// Plays the runs whose histories are kept; `npm run record-histories` writes them down here.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IDENTITY, Orchestra, WORKFLOW_BUNDLE } from './orchestra.ts';
import { RECORDED_RUNS, record } from './recordings.ts';
import { replay } from './replay.ts';

/** Set by scripts/record-histories.ts. */
const folder = process.env['STICFLOW_RECORD_HISTORIES'];

let orchestra: Orchestra;
beforeAll(async () => {
  orchestra = await Orchestra.start();
});
afterAll(async () => {
  await orchestra.close();
});

describe.concurrent('a run that has just been played', () => {
  it.each(Object.entries(RECORDED_RUNS))('replays: %s', async (name, play) => {
    const recorded = await record(orchestra.client, await play(orchestra));

    const text = recorded.map((one) => JSON.stringify(one)).join(',\n');
    if (folder !== undefined) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `${name}.json`), `[\n${text}\n]\n`);
    }
    const results = await replay({ codePath: WORKFLOW_BUNDLE }, recorded);
    expect(results.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(results).toHaveLength(recorded.length);
    // Nothing of the machine that recorded: no file, and no identity but the tests' own.
    const payloads = [...text.matchAll(/"data":"([^"]*)"/g)].map(([, data]) => atob(data ?? ''));
    for (const one of [text, ...payloads]) {
      expect(one).not.toMatch(/node_modules|file:|\.[jt]s:\d/);
      expect(one).not.toContain(process.cwd());
    }
    const identities = [...text.matchAll(/"identity":"([^"]*)"/g)].map(([, identity]) => identity);
    expect([...new Set(identities)].toSorted()).toEqual(['history-service', IDENTITY]);
  });
});
