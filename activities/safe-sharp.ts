/**
 * The only import of sharp: every loader but JPEG, PNG and WebP is blocked before anyone can decode
 * (sharp decodes SVG by default; CVE-2026-114113 came through GIF and TIFF).
 */
import sharp from 'sharp';

sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: [
    'VipsForeignLoadJpegBuffer',
    'VipsForeignLoadJpegFile',
    'VipsForeignLoadPngBuffer',
    'VipsForeignLoadPngFile',
    'VipsForeignLoadWebpBuffer',
    'VipsForeignLoadWebpFile',
  ],
});
// Images are decoded side by side, so each gets one thread; nothing is decoded twice, so no cache.
sharp.concurrency(1);
sharp.cache(false);

export { sharp };
