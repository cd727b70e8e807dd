/**
 * One image file's bytes to what training and generation read: 8-bit sRGB PNG, three channels.
 * Everything in the file is decoded here, once; what does not decode whole is rejected with a reason.
 *
 * - EXIF rotation is ignored, as LLaVA's own scripts do (docs/decisions/0004).
 * - 16 bits a channel are scaled to 8, not clipped; CMYK goes through its colour profile.
 * - Alpha is flattened on white: what lies under transparent pixels is arbitrary, often black, and
 *   no viewer shows it; white is what a page behind the picture looks like.
 */
import type { ExperimentConfig } from '../contract/config.ts';
import type { ImageRecord, QuarantineRecord } from '../contract/records.ts';
import { type SupportedFormat, signatureOf } from './image-format.ts';
import { sharp } from './safe-sharp.ts';

export type ImageLimits = Pick<
  ExperimentConfig['images'],
  'max_pixels' | 'max_size_bytes' | 'max_aspect_ratio' | 'max_side_pixels'
>;

export interface DecodedImage {
  readonly outcome: 'decoded';
  readonly png: Buffer;
  readonly image: Pick<ImageRecord, 'format' | 'width' | 'height' | 'notes'>;
}

export interface RejectedImage {
  readonly outcome: 'rejected';
  readonly reason: QuarantineRecord['reason'];
  readonly detail: string;
}

/** Processors tell channels from pixels by the shape; with 4 pixels a side no axis looks like RGB. */
export const MIN_SIDE_PIXELS = 4;

const DECODE_TIMEOUT_SECONDS = 10;

/** Decodes `bytes` whole; never throws for what is wrong with them. */
export async function decodeImage(
  bytes: Uint8Array,
  limits: ImageLimits,
): Promise<DecodedImage | RejectedImage> {
  const format = supportedFormat(bytes);
  if (typeof format !== 'string') return format;
  try {
    return await decode(bytes, format, limits);
  } catch (error) {
    return rejected('undecodable', sentenceOf(error));
  }
}

function rejected(reason: RejectedImage['reason'], detail: string): RejectedImage {
  return { outcome: 'rejected', reason, detail };
}

interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * Size to store an image in: its own, scaled down to `max_side_pixels`, or scaled up to
 * {@link MIN_SIDE_PIXELS}; the aspect ratio is kept.
 */
export function storedSize({ width, height }: Size, maxSidePixels: number): Size {
  const down = Math.min(1, maxSidePixels / Math.max(width, height));
  const up = Math.max(1, MIN_SIDE_PIXELS / (Math.min(width, height) * down));
  const scaled = (side: number): number => Math.max(MIN_SIDE_PIXELS, Math.round(side * down * up));
  return down === 1 && up === 1
    ? { width, height }
    : { width: scaled(width), height: scaled(height) };
}

function supportedFormat(bytes: Uint8Array): SupportedFormat | RejectedImage {
  if (bytes.length === 0) return rejected('empty_file', 'the file has 0 bytes');
  const signature = signatureOf(bytes);
  switch (signature.kind) {
    case 'supported':
      return signature.format;
    case 'unsupported':
      return rejected(
        'unsupported_format',
        `${signature.format}; JPEG, PNG and WebP are read, convert it to one of them`,
      );
    case 'unknown':
      return rejected('not_an_image', `it begins with ${beginningOf(bytes)}`);
  }
}

async function decode(
  bytes: Uint8Array,
  format: SupportedFormat,
  limits: ImageLimits,
): Promise<DecodedImage | RejectedImage> {
  // Reads the header alone; without the limit, so that the rejection can name the size.
  const header = await sharp(bytes, { failOn: 'warning', limitInputPixels: false }).metadata();
  const tooLarge = rejectedSize(header, limits);
  if (tooLarge !== null) return tooLarge;

  const notes: ImageRecord['notes'] = [];
  let pipeline = sharp(bytes, {
    failOn: 'warning',
    limitInputPixels: limits.max_pixels,
    sequentialRead: true,
    pages: 1,
  }).timeout({ seconds: DECODE_TIMEOUT_SECONDS });
  if ((header.pages ?? 1) > 1) notes.push('first_frame');
  if (header.depth !== 'uchar') notes.push('depth_reduced');
  if (header.space === 'cmyk') notes.push('cmyk_converted');
  if (header.hasAlpha) {
    notes.push('alpha_flattened');
    pipeline = pipeline.flatten({ background: '#ffffff' });
  }
  const size = storedSize(header, limits.max_side_pixels);
  if (size.width < header.width || size.height < header.height) {
    notes.push('scaled_down');
    pipeline = pipeline.resize({ ...size, fit: 'fill', kernel: 'lanczos3' });
  } else if (size.width > header.width || size.height > header.height) {
    notes.push('scaled_up');
    pipeline = pipeline.resize({ ...size, fit: 'fill', kernel: 'nearest' });
  }
  const { data, info } = await encodePng(pipeline.toColourspace('srgb'));
  return {
    outcome: 'decoded',
    png: data,
    image: { format, width: info.width, height: info.height, notes },
  };
}

/** PNG at the knee of size against time (measured on photographs: 14 ms; level 6 saves 2 % more). */
export async function encodePng(
  pipeline: ReturnType<typeof sharp>,
): Promise<{ data: Buffer; info: Size }> {
  return pipeline
    .png({ compressionLevel: 3, adaptiveFiltering: true, palette: false })
    .toBuffer({ resolveWithObject: true });
}

function rejectedSize({ width, height }: Size, limits: ImageLimits): RejectedImage | null {
  const pixels = width * height;
  if (pixels > limits.max_pixels) {
    return rejected(
      'too_many_pixels',
      `${width} x ${height} are ${pixels} pixels, images.max_pixels allows ${limits.max_pixels}`,
    );
  }
  const ratio = Math.max(width, height) / Math.min(width, height);
  if (ratio > limits.max_aspect_ratio) {
    return rejected(
      'aspect_ratio',
      `${width} x ${height} is ${ratio.toFixed(1)} to 1, images.max_aspect_ratio allows ${limits.max_aspect_ratio}`,
    );
  }
  return null;
}

function beginningOf(bytes: Uint8Array): string {
  return JSON.stringify(Buffer.from(bytes.subarray(0, 24)).toString('latin1'));
}

/** libvips writes one line a complaint; a truncated file repeats itself. */
function sentenceOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return [...new Set(message.split('\n').map((line) => line.trim()))].filter(Boolean).join('; ');
}
