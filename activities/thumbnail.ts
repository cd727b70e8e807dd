/** Small images for the report, as data URIs. */

import { stat } from 'node:fs/promises';
import { REPORT_LIMITS } from '../report/input.ts';
import { hasErrorCode } from '../store/errors.ts';
import { sharp } from './safe-sharp.ts';

/** Two dozen pairs a round make two megabytes at the most. */
const MAX_SIDE_PIXELS = Math.min(160, REPORT_LIMITS.image_side_pixels);
const MAX_PNG_CHARS = 16_000;

/** An image of at most 160 pixels, PNG where that is small, else JPEG; null when there is no such file. */
export async function thumbnail(path: string): Promise<string | null> {
  try {
    await stat(path);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return null;
    throw error;
  }
  const small = sharp(path).resize({
    width: MAX_SIDE_PIXELS,
    height: MAX_SIDE_PIXELS,
    fit: 'inside',
    withoutEnlargement: true,
  });
  const png = await small.png({ compressionLevel: 9 }).toBuffer();
  const uri = dataUri('png', png);
  return uri.length <= MAX_PNG_CHARS
    ? uri
    : dataUri('jpeg', await sharp(png).jpeg({ quality: 80 }).toBuffer());
}

function dataUri(format: 'png' | 'jpeg', bytes: Buffer): string {
  return `data:image/${format};base64,${bytes.toString('base64')}`;
}
