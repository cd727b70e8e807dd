/** The page of a comparison: which answers it shows, their images, and the file. */
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { thumbnail } from '../../activities/thumbnail.ts';
import { renderComparison } from '../../report/comparison.tsx';
import { CHANGES, type ComparisonDocument, type ShownItem } from '../../report/comparison-input.ts';
import { hasErrorCode } from '../../store/errors.ts';
import { cannotWritePage } from '../policy-errors.ts';

/** Writes one HTML file and returns its path; `numItems` answers of each set, mode and kind of change. */
export async function writeComparisonPage(
  document: ComparisonDocument,
  { file, numItems }: { readonly file: string; readonly numItems: number },
): Promise<string> {
  const path = resolve(file);
  const html = await renderComparison(await withImages(document, numItems));
  try {
    await writeFile(path, html);
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT', 'EISDIR', 'EACCES', 'ENOTDIR', 'EROFS')) throw error;
    throw cannotWritePage(path, error);
  }
  return path;
}

async function withImages(
  document: ComparisonDocument,
  numItems: number,
): Promise<ComparisonDocument<ShownItem>> {
  // Questions about one image share its bytes.
  const images = new Map<string, Promise<string | null>>();
  const imageOf = (path: string): Promise<string | null> => {
    const known = images.get(path) ?? thumbnail(path);
    images.set(path, known);
    return known;
  };
  const sets = document.sets.map(async (set) => {
    const items = (['direct', 'dar'] as const).flatMap((mode) =>
      CHANGES.filter((change) => change !== 'both_right').flatMap((change) =>
        set.items.filter((item) => item.mode === mode && item.change === change).slice(0, numItems),
      ),
    );
    const shown: ShownItem[] = [];
    for (const item of items) {
      const image_data_uri = item.image === null ? null : await imageOf(item.image);
      shown.push({ ...item, image_data_uri });
    }
    return { ...set, items: shown };
  });
  return { ...document, sets: await Promise.all(sets) };
}
