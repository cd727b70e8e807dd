/** dHash of a picture (N. Krawetz, 2013): what stays the same when a picture is scaled or compressed anew. */
import { sharp } from './safe-sharp.ts';

const COLUMNS = 9;
const ROWS = 8;

/** 64 bits as 16 hex digits: in 9 x 8 grey pixels, whether each is darker than its right neighbour. */
export async function differenceHash(png: Buffer): Promise<string> {
  const grey = await sharp(png)
    .greyscale()
    .resize({ width: COLUMNS, height: ROWS, fit: 'fill', kernel: 'lanczos3' })
    .raw()
    .toBuffer();
  let bits = 0n;
  for (let row = 0; row < ROWS; row += 1) {
    for (let column = 0; column < COLUMNS - 1; column += 1) {
      const place = row * COLUMNS + column;
      bits = (bits << 1n) | ((grey[place] ?? 0) < (grey[place + 1] ?? 0) ? 1n : 0n);
    }
  }
  return bits.toString(16).padStart(16, '0');
}
