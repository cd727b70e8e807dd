import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { renderReport } from '../../../report/html.tsx';
import { finishedRun, runningRun, startingRun, status } from './fixture.ts';
import { pictureUri } from './fixture-pairs.ts';
import { HOSTILE_TEXTS, HOSTILE_URIS, poisoned } from './hostile.ts';

/** What a reader sees: tags out, entities back, white space folded. */
function textOf(html: string): string {
  return html
    .replace(/<style>[\s\S]*?<\/style>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&lt;', '<')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replace(/[\s\u202f]+/g, ' ');
}

describe('the page of a finished run', async () => {
  const html = await renderReport(await finishedRun(2));
  const text = textOf(html);

  it('leads with what came out and its interval', () => {
    expect(text).toContain(
      'Over 2 rounds, accuracy with describe-and-respond on scenes-test rose from 61.2 % to 74.0 %.',
    );
    expect(text).toContain('+12.8 points, 95 % interval +10.0 to +15.6');
  });

  it('has a row of every policy of every round with value, interval and difference', () => {
    expect(html.match(/<tr class="(base|preference_training|infused_training)"/g)).toHaveLength(6);
    expect(text).toContain(
      'Round 1 After infused training 58.8 % 55.3 to 62.3 +3.6 points, better',
    );
    expect(text).toContain('Round 1: promote.');
  });

  it('draws the effect, four measures and four training curves', () => {
    expect(html.match(/<svg /g)).toHaveLength(9);
    for (const title of ['rewards/margins', 'rewards/accuracies', 'Hallucination rate']) {
      expect(text).toContain(title);
    }
  });

  it('says nothing of how trainings were computed where that was as usual', () => {
    expect(html).not.toContain('<ul class="notes">');
  });

  it('names what was computed otherwise: passes, padding, memory, bits, devices', async () => {
    const run = await finishedRun(2);
    const rounds = run.rounds.map((round, index) => ({
      ...round,
      training_facts:
        index === 0
          ? { preference_training: { forward: 'shared_prefix' } }
          : {
              preference_training: {
                forward: 'two_passes',
                forward_reason: 'its attention reaches back over a window of <64> tokens only',
                quantization: 'nf4',
                world_size: 4,
                deviations: [{ name: 'micro_batch_halved', step: 3, micro_batch_size: 2 }],
              },
              infused_training: {
                packed: false,
                packed_reason: 'Some takes no encoded images',
                finetuning: 'full',
              },
            },
    }));

    const page = textOf(await renderReport({ ...run, rounds }));

    expect(page).not.toContain('Round 1, preference training:');
    for (const note of [
      'preference training: prompt and image were computed for each text of a pair, not once for both (its attention reaches back over a window of <64> tokens only).',
      'preference training: memory did not suffice in step 3; from there on 2 at once.',
      'preference training: the base had 4 bits (nf4).',
      'preference training: 4 devices trained together.',
      'infused training: examples were padded, not packed (Some takes no encoded images).',
      'infused training: the language model itself was trained.',
    ]) {
      expect(page).toContain(`Round 2, ${note}`);
    }
  });

  it('shows pairs with both images, marked differences and provenance', () => {
    expect(html).toContain('<mark>is a small green circle</mark>');
    expect(html).toContain('<mark>are two yellow triangles</mark>');
    expect(text).toContain('12 of 1,080 pairs');
    expect(text).toContain('brightness x 1.231');
    expect(html.match(/alt="the same image, corrupted"/g)).toHaveLength(8);
  });

  it('shows what changed, what was left out, lineage, configuration and environment', () => {
    expect(text).toContain('Fixed: 84 answers, 1 shown');
    expect(text).toContain('Broken: 31 answers, 1 shown');
    expect(text).toContain('3 files quarantined, 1 duplicate, 36 degenerate pairs dropped');
    expect(text).toContain('premature end of JPEG image');
    expect(text).toContain('preference_training.chosen_nll_weight');
    expect(text).toContain('evaluation.sets.0.truth');
    expect(text).toContain('Describe the image with imaginative objects.');
    expect(text).toContain('torch 2.15.0');
    expect(text).toMatch(
      /scores \w{10} adapter \w{10} infused examples \w{10} adapter \w{10} preference pairs \w{10} images/,
    );
  });

  it('allows itself no script, no request and one style sheet', () => {
    const [, policy] = /Content-Security-Policy" content="([^"]*)"/.exec(html) ?? [];
    const [, style = ''] = /<style>([\s\S]*?)<\/style>/.exec(html) ?? [];
    const hash = createHash('sha256').update(style).digest('base64');
    expect(policy?.replaceAll('&#39;', "'")).toBe(
      `default-src 'none'; img-src data:; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`,
    );
    expect(html).not.toMatch(/<script|<link|<iframe| style="| on\w+="/);
  });
});

describe('pages of other runs', () => {
  it('tell how many images of a set the policy was trained on, by what it was trained on', async () => {
    const run = await finishedRun(1);
    const found = { num_training_images: 500, num_evaluation_images: 150, examples: [] };
    const rounds = run.rounds.map((round) => ({
      ...round,
      scores: round.scores.map((each) => ({
        ...each,
        scores: {
          ...each.scores,
          contamination: { ...found, identical: 0, alike: 1 },
          instruction_contamination: { ...found, identical: 3, alike: 0 },
        },
      })),
    }));

    const html = await renderReport({ ...run, rounds });

    expect(html).toContain('0 are among the 500 images the run trains on, and 1 looks like one');
    expect(html).toContain('3 are among the 500 images of the instructions, and 0 look like one');
  });

  it('says how far a run in progress is and that nothing has been compared', async () => {
    const text = textOf(await renderReport(await runningRun()));

    expect(text).toContain('Round 1 of 2 is in preference training (31 of 68)');
    expect(text).toContain('no policy of this run has been scored');
    expect(text).toContain('rewards/margins');
  });

  it('renders a run that has only just started', async () => {
    const text = textOf(await renderReport(startingRun()));

    expect(text).toContain('The run is starting; nothing has been compared yet.');
    expect(text).toContain('The run is not prepared yet.');
    expect(text).toContain('No artifact has been finished yet.');
  });

  it('names the missing evaluation set of a run that measured nothing', async () => {
    const run = await finishedRun(1);
    if (run.config === null) throw new Error('the fixture has a config');
    const unmeasured = {
      ...run,
      config: { ...run.config, evaluation: { ...run.config.evaluation, sets: [] } },
      rounds: run.rounds.map((round) => ({
        ...round,
        scores: [],
        comparisons: [],
        item_changes: null,
        pairs: [],
        num_pairs: 0,
      })),
      overall: null,
    };

    const text = textOf(await renderReport(unmeasured));

    expect(text).toContain(
      '1 round finished and 0 preference pairs were made; nothing was compared because the config names no evaluation set.',
    );
    expect(text).toContain('No pairs yet.');
  });

  it('leads a failed run with its message', async () => {
    const failed = {
      ...startingRun(),
      status: { ...status('failed', 1), message: 'No space left in the workspace.' },
    };

    const text = textOf(await renderReport(failed));

    expect(text).toContain('No space left in the workspace.');
    expect(text).toContain('The run failed before anything was compared.');
  });

  it('stays below 5 MB with ten rounds of as many pictures as a page may hold', async () => {
    const run = await finishedRun(10);
    const uri = await pictureUri();
    const filled = uri + 'A'.repeat(14_000 - uri.length);
    const full = {
      ...run,
      rounds: run.rounds.map((round) => ({
        ...round,
        pairs: Array.from({ length: 24 }, (_, index) => {
          const sample = round.pairs[index % round.pairs.length];
          if (sample === undefined) throw new Error('the fixture has pairs');
          return { ...sample, image_data_uri: filled };
        }),
      })),
    };

    const html = await renderReport(full);

    expect(Buffer.byteLength(html)).toBeLessThan(5_000_000);
  });
});

describe('hostile texts', () => {
  it.each(HOSTILE_TEXTS)('leave the page without active markup: %j', async (hostile) => {
    const html = await renderReport(poisoned(await finishedRun(1), hostile, HOSTILE_URIS[0]));

    const body = html.replace(/<style>[\s\S]*?<\/style>/, '');
    const active = /<(script|iframe|meta http-equiv="refresh"|base|link|form|math|button)\b/;
    expect(active.exec(body)).toBeNull();
    expect(/<[^>]*\son\w+=/.exec(body)).toBeNull();
    expect(/\p{Cs}|\0/u.exec(body)).toBeNull();
  });

  it.each(HOSTILE_URIS)('never get into an image source: %j', async (uri) => {
    const html = await renderReport(poisoned(await finishedRun(1), 'text', uri));

    expect(html).not.toContain('<img');
    expect(html).toContain('image not in this page');
  });
});
