import { describe, expect, it } from 'vitest';
import { plannedStages, type SourceCounts, totalOf } from '../../../../cli/plan/stages.ts';
import { ExperimentConfig, type ExperimentConfigInput } from '../../../../contract/config.ts';

const SOURCE = `source:${'0'.repeat(32)}`;

function config(changes: Partial<ExperimentConfigInput> = {}): ExperimentConfig {
  return ExperimentConfig.parse({
    name: 'mine',
    model: { source: SOURCE },
    images: { source: SOURCE },
    infusion: { instructions: SOURCE, image_root: SOURCE },
    ...changes,
  });
}

function counts(changes: Partial<SourceCounts> = {}): SourceCounts {
  return { images: 100, instructions: 50, sets: new Map(), ...changes };
}

describe('plannedStages', () => {
  it('has two texts an image, a step a global batch, and every round anew', () => {
    const stages = plannedStages(config({ rounds: 2 }), counts());

    expect(stages.filter(({ round }) => round === 2)).toEqual([
      { round: 2, stage: 'preference', items: 100, texts: 200, optimizer_steps: null },
      // 100 pairs in batches of 8
      { round: 2, stage: 'preference_training', items: 100, texts: null, optimizer_steps: 13 },
      { round: 2, stage: 'infusion', items: 50, texts: 50, optimizer_steps: null },
      // 50 examples in batches of 64
      { round: 2, stage: 'infused_training', items: 50, texts: null, optimizer_steps: 1 },
    ]);
    expect(totalOf(stages, 'optimizer_steps', (stage) => stage.endsWith('_training'))).toBe(28);
    expect(totalOf(stages, 'texts', (stage) => !stage.endsWith('_training'))).toBe(500);
  });

  it('takes the smallest of what there is and what the config allows', () => {
    const images = { source: SOURCE, max_images: 60 };
    const preference = { images_per_round: 40 };

    const [first] = plannedStages(config({ images, preference }), counts());
    const [unknown] = plannedStages(config({ images }), counts({ images: null }));

    expect(first?.items).toBe(40);
    expect(unknown?.items).toBe(60);
  });

  it('leaves out the stages that a config leaves out, and descriptions of the control', () => {
    const infusion = { instructions: SOURCE, image_root: SOURCE, describe: 'none' as const };

    const stages = plannedStages(
      config({ training_stages: ['infused_training'], infusion }),
      counts(),
    );

    expect(stages.map(({ stage, texts }) => [stage, texts])).toEqual([
      ['infusion', 0],
      ['infused_training', null],
    ]);
  });

  it('answers directly and after a description, the start of a later round only once', () => {
    const set = { name: 'test', benchmark: 'exact_match' as const };
    const sets = [{ ...set, questions: SOURCE, image_root: SOURCE }];
    const found = counts({ sets: new Map([['test', { images: 10, questions: 30 }]]) });

    const stages = plannedStages(config({ rounds: 2, evaluation: { sets } }), found);

    // 30 direct answers, 10 descriptions, 30 answers; three policies, then two.
    const texts = stages.filter(({ stage }) => stage === 'evaluation').map((stage) => stage.texts);
    expect(texts).toEqual([70 * 3, 70 * 2]);
  });

  it('takes a share of the questions with a draw of images', () => {
    const set = { name: 'test', benchmark: 'exact_match' as const, max_images: 5 };
    const sets = [{ ...set, questions: SOURCE, image_root: SOURCE }];
    const found = counts({ sets: new Map([['test', { images: 10, questions: 30 }]]) });

    const stages = plannedStages(
      config({ evaluation: { sets, describe_and_respond: 'off', policies: ['base'] } }),
      found,
    );

    expect(stages.at(-1)).toMatchObject({ stage: 'evaluation', items: 15, texts: 15 });
  });

  it('says nothing where something was not counted', () => {
    const stages = plannedStages(config(), counts({ images: null }));

    expect(stages[0]).toMatchObject({ items: null, texts: null });
    expect(totalOf(stages, 'texts', () => true)).toBeNull();
  });
});
