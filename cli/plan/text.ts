/** A plan for people: what will be done, what it needs, and of what that consists. */
import { table } from '../output.ts';
import type { Estimate, MemoryPlan } from './memory.ts';
import type { PlannedStage } from './stages.ts';

export interface Plan {
  readonly config: string;
  readonly rounds: number;
  readonly stages: readonly PlannedStage[];
  readonly totals: { readonly texts: number | null; readonly optimizer_steps: number | null };
  /** Null where the checkpoint is not on this machine yet. */
  readonly memory: MemoryPlan | null;
  readonly disk: {
    readonly terms: Readonly<Record<string, number>>;
    readonly total_bytes: number;
    readonly free_bytes: number;
  } | null;
  readonly fits: boolean;
  readonly notes: readonly string[];
}

/** The whole plan; the numbers are upper bounds. */
export function planText(plan: Plan): string {
  return [stagesText(plan), memoryText(plan), diskText(plan), notesText(plan)]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** `1.5 GB`, in powers of ten as disks are sold. */
export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 10e9 ? 2 : 1)} GB`;
}

function stagesText({ stages, totals }: Plan): string {
  const rows = stages.map(({ round, stage, items, texts, optimizer_steps }) => [
    String(round),
    stage,
    count(items),
    count(texts),
    count(optimizer_steps),
  ]);
  const total = ['', 'total', '', count(totals.texts), count(totals.optimizer_steps)];
  return table([['round', 'stage', 'items', 'texts', 'steps'], ...rows, total]);
}

function memoryText({ memory }: Plan): string {
  if (memory === null) return '';
  const { device, model, estimates } = memory;
  const weights = `${(model.num_weights / 1e6).toFixed(1)} million weights`;
  const head = `Memory on ${device.name} (${gigabytes(device.memory_bytes)}), ${weights}, estimated:`;
  return [head, ...estimates.map(estimateText)].join('\n');
}

function estimateText(estimate: Estimate): string {
  const { stage, rows, row_tokens, total_bytes, fits, terms, gradient_checkpointing } = estimate;
  const how = gradient_checkpointing === true ? ', gradient checkpointing' : '';
  const verdict = fits ? '' : '  DOES NOT FIT';
  const largest = Object.entries(terms)
    .sort(([, one], [, other]) => other - one)
    .map(([name, bytes]) => `${name} ${gigabytes(bytes)}`)
    .join(', ');
  return `  ${stage}: ${gigabytes(total_bytes)}${verdict} (${String(rows)} x ${String(row_tokens)} tokens${how})\n    ${largest}`;
}

function diskText({ disk }: Plan): string {
  if (disk === null) return '';
  const terms = Object.entries(disk.terms)
    .map(([name, bytes]) => `${name} ${gigabytes(bytes)}`)
    .join(', ');
  return `Disk: ${gigabytes(disk.total_bytes)} of ${gigabytes(disk.free_bytes)} free (${terms})`;
}

function notesText({ notes }: Plan): string {
  return notes.map((note) => `- ${note}`).join('\n');
}

function count(value: number | null): string {
  return value === null ? '-' : value.toLocaleString('en');
}
