/** Pictures that lie as files below a benchmark's folder. Formats are judged where they are decoded. */
import { readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { BenchmarkImage } from './loader.ts';
import { ScoreInputError } from './scorer.ts';

/** How many missing files a message names. */
const MAX_NAMED = 3;

/**
 * The pictures by name: paths below `folder` with `/` between folders.
 * @param remedy says where they come from, as in `Unpack val2014.zip of COCO there`.
 * @throws ScoreInputError when one is missing, or would be read from outside the folder.
 */
export async function imageFiles(
  folder: string,
  names: readonly string[],
  remedy: string,
): Promise<ReadonlyMap<string, BenchmarkImage>> {
  const root = await realpath(folder);
  const distinct = [...new Set(names)];
  const paths = await Promise.all(distinct.map((name) => pathBelow(root, name)));
  const missing = distinct.filter((_, index) => paths[index] === null);
  if (missing.length > 0) {
    const named = missing.slice(0, MAX_NAMED).join(', ');
    const more = missing.length > MAX_NAMED ? ', ...' : '';
    throw new ScoreInputError(
      `Expected ${distinct.length} pictures below ${folder}, and ${missing.length} are not there: ${named}${more}. ${remedy}.`,
    );
  }
  return new Map(
    distinct.map((name, index) => [name, imageFile(name, paths[index] ?? join(root, name))]),
  );
}

function imageFile(name: string, path: string): BenchmarkImage {
  return {
    name,
    read: async () => {
      try {
        return await readFile(path);
      } catch (cause) {
        throw new ScoreInputError(
          `Expected the picture ${path}, and it cannot be read any more. Put it back and start again.`,
          { cause },
        );
      }
    },
  };
}

/** The real path of a file; null when there is none. */
async function pathBelow(root: string, name: string): Promise<string | null> {
  // An empty part is an absolute path, alone or behind a folder's name.
  const isBelow = name.split('/').every((part) => part !== '' && part !== '..');
  if (!isBelow || name.includes('\\') || name.includes('\0')) throw outside(root, name);
  let path: string;
  try {
    path = await realpath(join(root, name));
  } catch {
    return null;
  }
  // A link that leads out would let a data set read any file of the machine.
  if (!path.startsWith(root.endsWith(sep) ? root : root + sep)) throw outside(root, name);
  return (await stat(path)).isFile() ? path : null;
}

function outside(root: string, name: string): ScoreInputError {
  return new ScoreInputError(
    `Expected a picture's file below ${root}, and ${JSON.stringify(name)} does not stay there. Names may hold no "..", and links may not lead out: put the files themselves into the folder.`,
  );
}
