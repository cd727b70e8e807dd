/** Requests to the fake model process (`tests/fixtures/fake-model-process.py`), and what it did. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { ModelProcesses, type ModelProcessesOptions } from '../../../activities/model-process.ts';
import type { GenerateRequest, TrainPreferenceRequest } from '../../../contract/model-process.ts';
import { pythonExecutable } from '../../../store/layout.ts';
import { writeLines } from '../../../store/lines.ts';

const FAKE = fileURLToPath(new URL('../../fixtures/fake-model-process.py', import.meta.url));

const Entry = z.looseObject({ event: z.string(), pid: z.int().optional() });

export type Faults = readonly string[];

export interface Fake {
  readonly processes: ModelProcesses;
  /** What the processes did so far, in order. */
  readonly journal: () => z.infer<typeof Entry>[];
  readonly events: (name: string) => z.infer<typeof Entry>[];
}

/** Program and arguments of the fake with its faults. */
export function fakeCommand(workspace: string, faults: Faults): [string, ...string[]] {
  return [pythonExecutable(), FAKE, '--journal', join(workspace, 'journal.jsonl'), ...faults];
}

export function fakeModelProcesses(
  workspace: string,
  faults: Faults = [],
  options: Partial<ModelProcessesOptions> = {},
): Fake {
  const processes = new ModelProcesses({
    workspace,
    command: fakeCommand(workspace, faults),
    stopGraceMs: 5_000,
    endGraceMs: 2_000,
    ...options,
  });
  onTestFinished(() => processes.close());
  const journal = (): z.infer<typeof Entry>[] => readJournal(workspace);
  const events = (name: string): z.infer<typeof Entry>[] =>
    journal().filter(({ event }) => event === name);
  return { processes, journal, events };
}

export function readJournal(workspace: string): z.infer<typeof Entry>[] {
  const path = join(workspace, 'journal.jsonl');
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines.map((line) => Entry.parse(JSON.parse(line)));
}

/** False for a process that has ended, whether or not anybody has asked for its exit code. */
export function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) throw new Error('expected a process id');
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !['Z', 'X'].includes(stat.slice(stat.lastIndexOf(')') + 2)[0] ?? 'X');
  } catch {
    return false;
  }
}

/** A request for `numItems` texts in a work folder of its own. */
export async function generateRequest(
  workspace: string,
  { name = 'a', numItems = 3 }: { readonly name?: string; readonly numItems?: number } = {},
): Promise<GenerateRequest> {
  const requestsPath = join(workspace, `${name}-requests.jsonl`);
  await writeLines(
    requestsPath,
    Array.from({ length: numItems }, (_, item) => ({ request_id: `${item}`, prompt: `${item}?` })),
  );
  return {
    ...(await common(workspace, name)),
    command: 'generate',
    requests_path: requestsPath,
    image_roots: { images: workspace, corrupted: null },
    batch_size: 2,
    engine: { name: 'hf' },
  };
}

/** A training of `numItems` steps in a work folder of its own. */
export async function trainRequest(
  workspace: string,
  { name = 'training', numItems = 3 } = {},
): Promise<TrainPreferenceRequest> {
  const pairsPath = join(workspace, `${name}-pairs.jsonl`);
  await writeLines(pairsPath, Array.from({ length: numItems }).fill({}));
  return {
    ...(await common(workspace, name)),
    command: 'train_preference',
    pairs_path: pairsPath,
    image_roots: { images: workspace, corrupted: null },
    lora: { r: 8, alpha: 16, dropout: 0, target_modules: ['q_proj'] },
    loss: { beta: 0.1, chosen_nll_weight: 0, nll_reduction: 'sum' },
    optimization: {
      learning_rate: 1e-4,
      num_epochs: 1,
      global_batch_size: 1,
      micro_batch_size: 1,
      weight_decay: 0,
      warmup_ratio: 0,
      lr_scheduler: 'constant',
      max_grad_norm: 1,
      max_length: null,
      gradient_checkpointing: false,
      save_steps: 1,
      seed: 0,
    },
  };
}

/** The fields that all work requests share. */
async function common(workspace: string, name: string) {
  const workDir = join(workspace, 'work', name);
  await mkdir(workDir, { recursive: true });
  return {
    protocol_version: 1 as const,
    request_id: `generate/${name}`,
    work_dir: workDir,
    attempt: 1,
    lock_timeout_seconds: 1,
    model: {
      path: workspace,
      sha256: 'a'.repeat(64),
      dtype: 'float32' as const,
      device: 'cpu' as const,
      num_threads: 1,
      image_backend: 'pil' as const,
    },
    adapter: null,
  };
}
