/** Preference pairs with pictures. */
import sharp from 'sharp';
import type { PreferencePair } from '../../../contract/records.ts';
import { fakeHash } from './fixture-hash.ts';

/** A picture with a red square on blue, seen through `pixels` pixels a side, as a `data:` URI. */
export async function pictureUri(size = 96, pixels = size): Promise<string> {
  const raw = Buffer.alloc(size * size * 3);
  for (let i = 0; i < size * size; i++) {
    const inside = Math.abs((i % size) - size / 2) < 16 && Math.abs(Math.floor(i / size) - 40) < 16;
    raw.set(inside ? [214, 69, 65] : [52, 101, 164], i * 3);
  }
  const image = sharp(raw, { raw: { width: size, height: size, channels: 3 } });
  const small = await image.resize(pixels).png().toBuffer();
  const bytes = await sharp(small).resize(size, size, { kernel: 'nearest' }).png().toBuffer();
  return `data:image/png;base64,${bytes.toString('base64')}`;
}

const CHOSEN =
  'The image shows a large red square in the upper middle. Below it there is a small green circle on the left. The background is blue.';
const REJECTED =
  'The image shows a large red square in the upper middle. Below it there are two yellow triangles on the right, and a dog. The background is blue.';

export function pair(index: number, round: number): PreferencePair {
  const rejection_source =
    (['bad_prompt', 'low_resolution', 'color_jitter'] as const)[index % 3] ?? 'bad_prompt';
  const message = (text: string): PreferencePair['chosen'] => [
    { role: 'assistant', content: [{ type: 'text', text }] },
  ];
  const corruption = {
    bad_prompt: null,
    low_resolution: { kind: 'low_resolution' as const, width: 20, height: 20 },
    color_jitter: {
      kind: 'color_jitter' as const,
      brightness_factor: 1.231,
      hue_shift: -0.187,
      order: 'hue_first' as const,
    },
  }[rejection_source];
  return {
    pair_id: `r${String(round)}-${String(index).padStart(4, '0')}`,
    images: [{ root: 'images', file: `${fakeHash('image')}.png` }],
    prompt: [
      {
        role: 'user',
        content: [
          { type: 'image' },
          { type: 'text', text: 'Explain in detail what is depicted in the picture.' },
        ],
      },
    ],
    chosen: message(CHOSEN),
    rejected: message(REJECTED),
    provenance: {
      image_id: fakeHash(`image-${String(index)}`),
      source_name: `unlabelled/scene-${String(index).padStart(5, '0')}.png`,
      round,
      policy: {
        model_sha256: fakeHash('model'),
        adapter_sha256: round === 1 ? null : fakeHash('adapter'),
      },
      prompt_id: 'normal-3',
      chosen_prompt_id: 'well-crafted',
      rejected_prompt_id: rejection_source === 'bad_prompt' ? 'bad-5' : 'normal-3',
      rejection_source,
      corruption,
      corrupted_image: null,
      run_seed: 7,
      chosen_seed: 81_273_645,
      rejected_seed: 19_283_746,
      sampling: { temperature: 0.2, top_p: null, max_new_tokens: 96 },
      chosen_finish_reason: 'stop',
      rejected_finish_reason: 'stop',
    },
  };
}
