/** What a study will take, said before it starts. */
import { readFile } from 'node:fs/promises';
import { PaperResults } from '../../contract/paper-results.ts';
import type { StudyRequest } from '../../contract/study.ts';
import { paperResultsFile } from '../../store/layout.ts';
import { parseJson } from '../../store/lines.ts';
import { gpuHours, scenesSeconds, workOf } from '../../studies/cost.ts';
import { plannedRuns } from '../../studies/expand.ts';
import { duration } from '../output.ts';

/** Pictures of the embedded world (docs/scenes.md), and the paper's number for everything else. */
const NUM_IMAGES = { scenes: 480, other: 6000 };

/** One sentence of counts, one of time. */
export async function estimateOf(request: StudyRequest): Promise<string> {
  const isScenes = request.base.model.source === 'builtin:scenes/model';
  const work = workOf(plannedRuns(request), isScenes ? NUM_IMAGES.scenes : NUM_IMAGES.other);
  const unavailable =
    work.num_unavailable === 0
      ? ''
      : `; ${String(work.num_unavailable)} more are not available in this version`;
  const counts =
    `At most ${number(work.num_texts)} texts, ${number(work.num_examples)} trained examples and ` +
    `${number(work.num_evaluations)} evaluations in ${number(work.num_runs)} ${work.num_runs === 1 ? 'run' : 'runs'}${unavailable}; what runs share is made once.`;
  if (isScenes) return `${counts}\nAbout ${duration(scenesSeconds(work))} on one core, or less.`;
  const paper = parseJson(
    await readFile(paperResultsFile(), 'utf8'),
    PaperResults,
    'paper-results',
  );
  const { low, high } = gpuHours(work, paper);
  return (
    `${counts}\nAbout ${number(low)} to ${number(high)} GPU-hours for a 7B checkpoint, scaled from the paper's ` +
    `(${paper.cost.basis}; ${String(paper.cost.evaluation_hours_low)} to ${String(paper.cost.evaluation_hours_high)} h an evaluation).`
  );
}

function number(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
