/** Small images for the report, as data URIs. */

import { stat } from 'node:fs/promises';
import { REPORT_LIMITS } from '../report/input.ts';
import { hasErrorCode } from '../store/errors.ts';
import { sharp } from './safe-sharp.ts';

/** A PNG of at most {@link REPORT_LIMITS.image_side_pixels}; null when there is no such file or it is too large. */
export async function thumbnail(path: string): Promise<string | null> {
  try {
    await stat(path);
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT')) return null;
    throw error;
  }
  const side = REPORT_LIMITS.image_side_pixels;
  const small = sharp(path).resize({
    width: side,
    height: side,
    fit: 'inside',
    withoutEnlargement: true,
  });
  const png = await small.png({ compressionLevel: 9 }).toBuffer();
  const uri = `data:image/png;base64,${png.toString('base64')}`;
  if (uri.length <= REPORT_LIMITS.data_uri_chars) return uri;
  const jpeg = await sharp(png).jpeg({ quality: 75 }).toBuffer();
  const smaller = `data:image/jpeg;base64,${jpeg.toString('base64')}`;
  return smaller.length <= REPORT_LIMITS.data_uri_chars ? smaller : null;
}
