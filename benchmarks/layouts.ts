/**
 * Finds out in which layout a benchmark lies in a user's folder: the official files (for most LLaVA's
 * playground/data/eval), a table of VLMEvalKit, or parquet files of Hugging Face.
 */
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ScoreInputError } from './scorer.ts';

/** A folder that links to itself ends here. */
const MAX_FOLDERS = 8;

export interface LayoutSearch {
  /** As people write it. */
  readonly benchmark: string;
  /** Its folder inside a folder of many; compared without case, `-` and `_`, so mm-vet is mmvet. */
  readonly folders: readonly string[];
  /** Paths below its folder that only the official layout has; null where there is none. */
  readonly official: readonly string[] | RegExp | null;
  /** Name of VLMEvalKit's table. */
  readonly table: RegExp;
  /** Splits of the parquet files that are the benchmark. */
  readonly splits: readonly string[];
  /** Configurations of the data set, folders in which the parquet files may lie. */
  readonly configs: readonly string[];
  /** What to put where, one sentence a layout. */
  readonly remedy: string;
}

export type Layout =
  | { readonly kind: 'official'; readonly folder: string }
  | { readonly kind: 'tsv'; readonly path: string }
  | { readonly kind: 'parquet'; readonly paths: readonly string[] };

/**
 * The one layout in the folder, or in the benchmark's folder inside it.
 * @throws ScoreInputError when there is none, with what to put where, or more than one.
 */
export async function findLayout(folder: string, search: LayoutSearch): Promise<Layout> {
  const entries = await entriesOf(folder).catch((cause: unknown) => {
    throw new ScoreInputError(
      `Expected a folder with ${search.benchmark} at ${folder}, and it cannot be read. ${search.remedy}`,
      { cause },
    );
  });
  const found = new Map<string, Layout>();
  for (const place of [folder, ...(await foldersInside(folder, search))]) {
    for (const layout of await layoutsIn(place, search)) found.set(describe(layout), layout);
  }
  const [only] = found.values();
  if (only !== undefined && found.size === 1) return only;
  const names = entries.map(({ name }) => name).sort();
  throw new ScoreInputError(
    only === undefined
      ? `Expected ${search.benchmark} in ${folder}; found ${names.slice(0, 8).join(', ') || 'nothing'}. ${search.remedy}`
      : `Expected one set of ${search.benchmark} in ${folder}, and found ${[...found.keys()].join(' and ')}. Name the folder of the one that is meant, or keep only that.`,
  );
}

/** Folders with the benchmark's name, and such inside them. */
async function foldersInside(folder: string, { folders }: LayoutSearch): Promise<string[]> {
  const wanted = new Set(folders.map(plainName));
  const found: string[] = [];
  for (let places = [folder]; places.length > 0 && found.length < MAX_FOLDERS; ) {
    const inside = await Promise.all(
      places.map(async (place) => {
        const entries = await entriesOf(place).catch(() => []);
        return entries
          .filter(({ name }) => wanted.has(plainName(name)))
          .map(({ name }) => join(place, name));
      }),
    );
    places = inside.flat();
    found.push(...places);
  }
  return found;
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/[-_]/g, '');
}

function describe(layout: Layout): string {
  switch (layout.kind) {
    case 'official':
      return `the official files in ${layout.folder}`;
    case 'tsv':
      return layout.path;
    case 'parquet':
      return layout.paths[0] ?? 'parquet files';
  }
}

async function layoutsIn(folder: string, search: LayoutSearch): Promise<Layout[]> {
  const entries = await entriesOf(folder).catch(() => []);
  const names = entries.map(({ name }) => name);
  const found: Layout[] = [];
  if (isOfficial(names, search.official)) found.push({ kind: 'official', folder });
  for (const name of names.filter((name) => search.table.test(name)).sort()) {
    found.push({ kind: 'tsv', path: join(folder, name) });
  }
  const configs = new Set([...search.configs, 'default', 'data'].map(plainName));
  const places = names.filter((name) => configs.has(plainName(name))).sort();
  for (const place of [folder, ...places.map((name) => join(folder, name))]) {
    const paths = await splitFiles(place, search);
    if (paths.length > 0) found.push({ kind: 'parquet', paths });
  }
  return found;
}

function isOfficial(names: readonly string[], official: LayoutSearch['official']): boolean {
  if (official === null) return false;
  return official instanceof RegExp
    ? names.some((name) => official.test(name))
    : official.every((name) => names.includes(name));
}

/** Parquet files of the wanted splits: `test-00000-of-00002.parquet`, or `test/0000.parquet`. */
async function splitFiles(folder: string, { splits }: LayoutSearch): Promise<string[]> {
  const names = (await entriesOf(folder).catch(() => [])).map(({ name }) => name);
  const paths: string[] = [];
  for (const split of splits) {
    const file = new RegExp(`^(?:[\\w-]+-)?${split}(?:-(\\d+)-of-(\\d+)[\\w-]*)?\\.parquet$`);
    const files = names.flatMap((name) => file.exec(name) ?? []).length;
    if (files > 0) paths.push(...partsOf(folder, names, file));
    if (!names.includes(split)) continue;
    const parts = await entriesOf(join(folder, split)).catch(() => []);
    const numbered = parts.map(({ name }) => name).filter((name) => /^\d+\.parquet$/.test(name));
    paths.push(...numbered.sort().map((name) => join(folder, split, name)));
  }
  return paths;
}

/** In order. @throws ScoreInputError when a numbered part is missing. */
function partsOf(folder: string, names: readonly string[], file: RegExp): string[] {
  const parts = names.filter((name) => file.test(name)).sort();
  const [, , count] = file.exec(parts[0] ?? '') ?? [];
  if (count !== undefined && parts.length !== Number(count)) {
    throw new ScoreInputError(
      `Expected ${Number(count)} parts of ${parts[0] ?? ''} in ${folder}, and found ${parts.length}. Download the others, and keep one version of each.`,
    );
  }
  return parts.map((name) => join(folder, name));
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  return readdir(folder, { withFileTypes: true });
}
