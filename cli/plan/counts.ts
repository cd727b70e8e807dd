/** Counts what the sources of a config hold, without opening an image: the most that a run can use. */
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { LOADERS } from '../../benchmarks/loaders.ts';
import type { ExperimentConfig } from '../../contract/config.ts';
import type { EvaluationSetConfig } from '../../contract/config-evaluation.ts';
import { hasErrorCode } from '../../store/errors.ts';
import { resolveSource } from '../../store/sources.ts';
import type { SetCounts, SourceCounts } from './stages.ts';

const IMAGE_EXTENSIONS = new Set(['.jpg', '.jpeg', '.png', '.webp']);
/** A larger list is not read for a plan; LLaVA's mix665k has 1 GB. */
const MAX_LIST_BYTES = 200_000_000;

const Question = z.looseObject({ image: z.string() });

/** What is there, and a sentence for each source that was not counted. */
export async function countSources(
  config: ExperimentConfig,
  workspace: string,
): Promise<{ counts: SourceCounts; notes: string[] }> {
  const notes: string[] = [];
  const counted = async (
    name: string,
    source: string | null,
    count: (path: string) => Promise<number | null>,
  ): Promise<number | null> => {
    if (source === null) return null;
    const number = await count(await resolveSource(workspace, source));
    if (number === null) notes.push(`${name} was not counted: a glob, or a list too large to read`);
    return number;
  };
  const sets = new Map<string, SetCounts>();
  for (const set of config.evaluation.sets) {
    sets.set(set.name, await countSet(workspace, set));
  }
  const { infusion } = config;
  return {
    counts: {
      images: await counted('images.source', config.images.source, countImages),
      instructions:
        infusion === null
          ? null
          : await counted('infusion.instructions', infusion.instructions, countElements),
      sets,
    },
    notes,
  };
}

async function countSet(
  workspace: string,
  { benchmark, data, questions }: EvaluationSetConfig,
): Promise<SetCounts> {
  if (questions !== undefined)
    return await countQuestions(await resolveSource(workspace, questions));
  const load = LOADERS[benchmark];
  if (load === undefined || data === undefined) return { images: 0, questions: 0 };
  const loaded = await load(await resolveSource(workspace, data));
  const images = new Set(loaded.questions.flatMap(({ image }) => image?.name ?? []));
  return { images: images.size, questions: loaded.questions.length };
}

async function countImages(path: string): Promise<number | null> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return null; // a glob
    throw error;
  }
  if (!isFolder) return extname(path) === '.json' ? await countElements(path) : countLines(path);
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter(
    (entry) => !entry.isDirectory() && IMAGE_EXTENSIONS.has(extname(entry.name).toLowerCase()),
  ).length;
}

/** Elements of a JSON array; of JSONL the lines. */
async function countElements(path: string): Promise<number | null> {
  if (extname(path) === '.jsonl') return await countLines(path);
  if ((await stat(path)).size > MAX_LIST_BYTES) return null;
  const parsed = z.array(z.unknown()).safeParse(JSON.parse(await readFile(path, 'utf8')));
  return parsed.success ? parsed.data.length : null;
}

async function countLines(path: string): Promise<number> {
  let count = 0;
  for await (const line of lines(path)) if (line.trim() !== '') count += 1;
  return count;
}

async function countQuestions(path: string): Promise<SetCounts> {
  const images = new Set<string>();
  let questions = 0;
  for await (const line of lines(path)) {
    if (line.trim() === '') continue;
    questions += 1;
    images.add(Question.parse(JSON.parse(line)).image);
  }
  return { images: images.size, questions };
}

function lines(path: string): AsyncIterable<string> {
  return createInterface({ input: createReadStream(path, 'utf8') });
}
