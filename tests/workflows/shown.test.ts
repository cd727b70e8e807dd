// What a run shows of itself, as pure functions: the table of stages and the Markdown of the web UI.
import { describe, expect, it } from 'vitest';
import type { RunStatus } from '../../contract/status.ts';
import { renderDetails } from '../../workflows/details.ts';
import { describeCounts, StageTable } from '../../workflows/stage-table.ts';

function tableWithNews() {
  const clock = { now: 1000 };
  const news: number[] = [];
  const table = new StageTable(
    ['preference', 'evaluation'],
    () => clock.now,
    () => news.push(clock.now),
  );
  return { table, clock, news };
}

describe('the table of stages', () => {
  it('counts the seconds of a stage from its first beginning to its end', () => {
    const { table, clock } = tableWithNews();

    table.begin('evaluation', 'base');
    clock.now = 3000;
    table.begin('evaluation', 'infused_training');
    clock.now = 5500;
    table.end('evaluation', '2 scores');

    // 5500 - 1000 milliseconds
    expect(table.snapshot()[1]).toMatchObject({ state: 'done', seconds: 4.5, detail: '2 scores' });
  });

  it('is news at most 50 times while a stage of a million shards advances', () => {
    const { table, news } = tableWithNews();
    const total = 1_000_000;

    for (let done = 0; done <= total; done += 1000) table.advance('preference', { done, total });

    expect(news).toHaveLength(50);
  });

  it('shows a finished stage as complete', () => {
    const { table } = tableWithNews();

    table.advance('preference', { done: 2, total: 3 });
    table.end('preference', '');

    expect(table.snapshot()[0]).toMatchObject({ state: 'done', done: 3, total: 3 });
  });

  it('describes counts in words', () => {
    const counts = { pairs: 12, dropped_empty: 1, loss: 0.123456, epochs: 1, steps: 7 };

    expect(describeCounts(counts)).toBe('12 pairs, 1 dropped empty, 0.1235 loss, 1 epochs');
  });
});

describe('the details', () => {
  const status: RunStatus = {
    schema_version: 1,
    run_id: 'scenes-1f2e',
    state: 'running',
    round: 2,
    rounds: 3,
    stages: [
      { stage: 'ingest', state: 'done', done: 0, total: 0, detail: '8 images', seconds: 1.26 },
      { stage: 'preference', state: 'running', done: 1, total: 4, detail: '', seconds: null },
    ],
    rounds_done: [{ round: 1, action: 'keep', measure: 'accuracy', value: null }],
    config: null,
    last_result: null,
    message: 'round 2 of 3',
  };
  const place = { namespace: 'default', workflowId: 'sticflow/scenes-1f2e' };

  it('are a title, a message and two tables that link to the rounds', () => {
    const link = (round: number) =>
      `[round ${String(round)}](/namespaces/default/workflows/sticflow%2Fscenes-1f2e%2Fround-${String(round)})`;

    expect(renderDetails(status, place)).toBe(
      [
        '**running** · round 2 of 3 · run `scenes-1f2e`',
        '',
        'round 2 of 3',
        '',
        `| stage of ${link(2)} | done | time | |`,
        '|---|---|---|---|',
        '| ✓ ingest |  | 1.3 s | 8 images |',
        '| ▶ preference | 1/4 |  |  |',
        '',
        '| finished | score | decision |',
        '|---|---|---|',
        `| ${link(1)} | not measured | keep |`,
      ].join('\n'),
    );
  });

  it('cannot be broken by what a message or a detail says', () => {
    const [stage] = status.stages;
    if (stage === undefined) throw new Error('the status has a stage');
    const hostile = 'a|b\n[x](http://y) <img> `z`';
    const details = renderDetails(
      { ...status, message: hostile, stages: [{ ...stage, detail: hostile }] },
      place,
    );

    const escaped = 'a\\|b \\[x\\](http://y) \\<img> \\`z\\`';
    expect(details).toContain(`\n\n${escaped}\n\n`);
    expect(details).toContain(`| ${escaped} |`);
  });
});
