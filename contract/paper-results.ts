/** `config/paper-results.json`: published figures that a study stands beside, each with its source. */
import { z } from 'zod';

export const PaperTable = z.strictObject({
  title: z.string(),
  source: z.string(),
  columns: z.array(z.string()).min(1),
  rows: z.record(z.string(), z.array(z.number().nullable())).describe('in per cent or points'),
  note: z.string().nullable(),
});
export type PaperTable = z.infer<typeof PaperTable>;

export const PaperResults = z.strictObject({
  about: z.string(),
  tables: z.record(z.string(), PaperTable),
  cost: z.strictObject({
    gpu_hours_per_run: z.number().positive(),
    basis: z.string(),
    evaluation_hours_low: z.number().positive(),
    evaluation_hours_high: z.number().positive(),
    source: z.string(),
  }),
});
export type PaperResults = z.infer<typeof PaperResults>;
