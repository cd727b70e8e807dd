/** What a file is by its first bytes, and what it calls itself by its extension. */

const SUPPORTED = ['jpeg', 'png', 'webp'] as const;
export type SupportedFormat = (typeof SUPPORTED)[number];

export type Signature =
  | { readonly kind: 'supported'; readonly format: SupportedFormat }
  /** An image, but of a format whose decoder we keep closed. */
  | { readonly kind: 'unsupported'; readonly format: string }
  | { readonly kind: 'unknown' };

/** As many bytes as {@link signatureOf} looks at. */
export const SIGNATURE_BYTES = 1024;

const EXTENSIONS = new Set(
  'jpg jpeg jpe jfif png apng webp gif bmp dib tif tiff svg heic heif avif jxl jp2 ico psd'
    .split(' ')
    .map((extension) => `.${extension}`),
);

/** True for names that say "image", whether or not we read that format. */
export function hasImageExtension(name: string): boolean {
  const dot = name.lastIndexOf('.');
  return dot > name.lastIndexOf('/') && EXTENSIONS.has(name.slice(dot).toLowerCase());
}

/** Magic numbers as byte strings (latin1), with the place they stand at. */
const MAGIC: readonly (readonly [magic: string, offset: number, format: string])[] = [
  ['\xff\xd8\xff', 0, 'jpeg'],
  ['\x89PNG\r\n\x1a\n', 0, 'png'],
  ['WEBP', 8, 'webp'],
  ['GIF8', 0, 'GIF'],
  ['BM', 0, 'BMP'],
  ['II*\0', 0, 'TIFF'],
  ['MM\0*', 0, 'TIFF'],
  ['II+\0', 0, 'BigTIFF'],
  ['MM\0+', 0, 'BigTIFF'],
  ['ftypavif', 4, 'AVIF'],
  ['ftypheic', 4, 'HEIC'],
  ['ftypheix', 4, 'HEIC'],
  ['ftypmif1', 4, 'HEIF'],
  ['\xff\x0a', 0, 'JPEG XL'],
  ['JXL \r\n', 4, 'JPEG XL'],
  ['jP  \r\n', 4, 'JPEG 2000'],
  ['8BPS', 0, 'Photoshop'],
  ['\0\0\x01\0', 0, 'ICO'],
];

/** Recognises an image by its first {@link SIGNATURE_BYTES} bytes. */
export function signatureOf(start: Uint8Array): Signature {
  const text = Buffer.from(start.subarray(0, SIGNATURE_BYTES)).toString('latin1');
  const found = MAGIC.find(([magic, offset]) => text.startsWith(magic, offset));
  if (found !== undefined) {
    const [, , format] = found;
    const supported = SUPPORTED.find((name) => name === format);
    if (supported === undefined) return { kind: 'unsupported', format };
    // RIFF is also the container of WAV and AVI.
    if (supported !== 'webp' || text.startsWith('RIFF')) {
      return { kind: 'supported', format: supported };
    }
  }
  return isSvg(text) ? { kind: 'unsupported', format: 'SVG' } : { kind: 'unknown' };
}

/** SVG may begin with a byte order mark, an XML declaration, comments or a document type. */
function isSvg(text: string): boolean {
  const start = text.replace(/^\xef\xbb\xbf/, '').trimStart();
  return (
    start.startsWith('<svg') ||
    (/^<(\?xml|!--|!DOCTYPE svg)/i.test(start) && /<svg[\s>]/.test(start))
  );
}
