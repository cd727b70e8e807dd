/** Judges that nobody asks: what was recorded earlier, and nobody at all. */
import { readRecordings } from '../benchmarks/judging/recordings.ts';
import type { JudgedBenchmark, ReplayJudge } from '../contract/config-judge.ts';
import { resolveSource } from '../store/sources.ts';
import { type Judge, NoReply } from './judge-interface.ts';

export async function replayJudge(
  config: ReplayJudge,
  benchmark: JudgedBenchmark,
  workspace: string,
): Promise<Judge> {
  const paths: string[] = [];
  for (const ref of config.recordings[benchmark]) paths.push(await resolveSource(workspace, ref));
  const recordings = await readRecordings(benchmark, paths);
  const byPlace = new Map(recordings.map((each) => [placeOf(each.item_id, each.run), each]));
  return {
    identity: { kind: 'replay', model: config.model, prompt: 'official', temperature: null },
    remarks: ['recorded'],
    wants: 'items',
    reply: ({ item_id, run }) => {
      const recorded = byPlace.get(placeOf(item_id, run));
      if (recorded === undefined) {
        const where = `evaluation.judge.recordings.${benchmark}`;
        const message = `${where} has no judgement of ${item_id} in run ${run}`;
        return Promise.reject(new NoReply('not_recorded', message));
      }
      const { text, served_model } = recorded;
      const unknown = { finish_reason: null, prompt_tokens: null, completion_tokens: null };
      return Promise.resolve({ reply: { ...unknown, text, served_model }, origin: 'cached' });
    },
    keep: () => Promise.resolve(),
  };
}

/** What rules can score is scored; the rest is missing. */
export const NOBODY: Judge = {
  identity: { kind: 'none', model: null, prompt: 'official', temperature: null },
  remarks: [],
  wants: 'items',
  reply: ({ item_id }) =>
    Promise.reject(new NoReply('no_judge', `nobody judges ${item_id}: evaluation.judge is none`)),
  keep: () => Promise.resolve(),
};

function placeOf(itemId: string, run: number): string {
  return `${String(run)}/${itemId}`;
}
