// Every study that ships, in every size: its names resolve, its configs are what this version takes.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../../cli/config/load.ts';
import { loadStudy, requestOf, studyNames } from '../../../cli/study/load.ts';
import { ExperimentConfig } from '../../../contract/config.ts';
import { PaperResults } from '../../../contract/paper-results.ts';
import {
  MAX_STUDY_RUNS,
  StudyDescription,
  StudyRequest,
  type StudySize,
} from '../../../contract/study.ts';
import { paperResultsFile } from '../../../store/layout.ts';
import { paperDelta } from '../../../studies/claims.ts';
import { gpuHours, scenesSeconds, workOf } from '../../../studies/cost.ts';
import { forSize, plannedRuns, withChanges } from '../../../studies/expand.ts';
import { temporaryFolder } from '../../setup/programs.ts';

const paper = PaperResults.parse(JSON.parse(readFileSync(paperResultsFile(), 'utf8')));
const OPTIONS = { base: null, seeds: null, overrides: [] };

async function quick(name: string): Promise<StudyRequest> {
  const workspace = temporaryFolder();
  return await requestOf(await loadStudy(name), { ...OPTIONS, size: 'quick', workspace });
}

describe('the studies that ship', () => {
  it("are the paper's and four more", () => {
    const expected = ['corruptions', 'curation', 'figure6', 'figure7', 'figure8', 'rounds'];
    expect(studyNames()).toEqual([...expected, 'strategies', 'table1', 'table2', 'table3']);
  });

  it.each(studyNames())('hang together in every size: %s', async (name) => {
    const description = await loadStudy(name);

    expect(description.name).toBe(name);
    const sizes = Object.keys(description.sizes) as StudySize[]; // keys of a record of sizes
    expect(sizes).toEqual(['quick', 'full', 'real']);
    for (const size of sizes) {
      const ofSize = StudyDescription.parse(forSize(description, size));
      for (const claim of ofSize.claims) expect(() => paperDelta(paper, claim)).not.toThrow();
      const table = ofSize.paper?.table;
      if (table !== undefined) expect(Object.keys(paper.tables)).toContain(table);
      const numRuns = ofSize.arms.length * (ofSize.sizes[size]?.seeds.length ?? 0);
      expect(numRuns).toBeLessThanOrEqual(MAX_STUDY_RUNS);
    }
  });

  it.each(studyNames())('ask only for strategies that may not be there yet: %s', async (name) => {
    const runs = plannedRuns(await quick(name));

    const refused = runs.filter(({ config }) => config === null);
    for (const { unavailable } of refused) {
      expect(unavailable).toMatch(/^not available in this version: the arm ".*" needs strategy:/);
    }
    expect(runs.length - refused.length).toBeGreaterThanOrEqual(2);
  });

  it('share their runs: figure6 asks for exactly those of table2', async () => {
    const [table2, figure6] = [
      plannedRuns(await quick('table2')),
      plannedRuns(await quick('figure6')),
    ];

    expect(figure6.map(({ config }) => config)).toEqual(table2.map(({ config }) => config));
  });
});

describe('the runs of a study', () => {
  it('go seed by seed, each after the run whose artifacts it reads', async () => {
    const runs = plannedRuns(await quick('table1'));

    expect(runs.slice(0, 4).map(({ arm, seed, after }) => [arm, seed, after])).toEqual([
      ['stic', 0, null],
      ['povid', 0, 0],
      ['control', 0, 0],
      ['stic', 1, null],
    ]);
    expect(runs[4]).toMatchObject({ arm: 'povid', seed: 1, after: 3 });
    expect(runs.map(({ seed }) => seed)).toEqual([0, 0, 0, 1, 1, 1]);
  });

  it('differ from the base by what the arm changes and by the seed alone', async () => {
    const request = await quick('corruptions');
    const run = plannedRuns(request).find(({ arm, seed }) => arm === 'bad-prompt' && seed === 1);

    expect(run?.config).toEqual({
      ...request.base,
      seed: 1,
      training_stages: ['preference_training'],
      preference: { ...request.base.preference, bad_prompt_ratio: 1 },
    });
  });

  it('of an arm that this version cannot run stay in the list, with what was refused', async () => {
    const request = await quick('table2');
    const changed = {
      ...request,
      description: {
        ...request.description,
        arms: [
          ...request.description.arms,
          {
            name: 'later',
            title: 'Later',
            sizes: null,
            set: { 'preference.telepathy': 1 },
            set_by_size: {},
            after: null,
            nearest_images: null,
          },
        ],
      },
    };
    const [, later] = plannedRuns(StudyRequest.parse(changed));

    expect(later).toMatchObject({ arm: 'later', config: null });
    expect(later?.unavailable).toContain('telepathy');
  });
});

describe('changing a config by dotted keys', () => {
  it('opens sections, counts list items and leaves the base as it was', () => {
    const base = { a: { b: 1 }, list: [{ c: 1 }] };

    expect(withChanges(base, { 'a.b': 2, 'list.0.c': 3, 'new.d': 4 })).toEqual({
      a: { b: 2 },
      list: [{ c: 3 }],
      new: { d: 4 },
    });
    expect(base).toEqual({ a: { b: 1 }, list: [{ c: 1 }] });
  });
});

describe('the estimate of a study', () => {
  it('counts what every run does once for each run', async () => {
    const workspace = temporaryFolder();
    const config = await loadConfig('scenes-quick', {
      workspace,
      overrides: ['preference.images_per_round=10', 'infusion.num_examples=6', 'rounds=2'],
    });
    const run = {
      arm: 'a',
      seed: 0,
      config: ExperimentConfig.parse(config),
      unavailable: null,
      after: null,
    };
    const refused = { ...run, config: null, unavailable: 'no' };

    // Two rounds: 2 x (20 texts of pairs + 6 descriptions), 2 x (10 pairs + 6 examples); the base
    // once and two policies a round, on 80 images each.
    const work = workOf([run, refused], 480);
    expect(work).toEqual({
      num_runs: 1,
      num_unavailable: 1,
      num_texts: 52,
      num_examples: 32,
      num_evaluations: 5,
      num_evaluated_images: 400,
    });
    expect(scenesSeconds(work)).toBeGreaterThan(0);
  });

  it("of the paper's own run is the paper's own time", () => {
    const work = {
      num_runs: 1,
      num_unavailable: 0,
      num_texts: 17_000,
      num_examples: 11_000,
      num_evaluations: 1,
      num_evaluated_images: 1000,
    };

    // 24 GPU-hours, and 2 to 8 hours for one evaluation.
    expect(gpuHours(work, paper)).toEqual({ low: 26, high: 32 });
  });
});
