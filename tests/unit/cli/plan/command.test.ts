import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { runCli } from '../../../../cli/program.ts';
import { temporaryDirectory } from '../../store/temporary.ts';

const Planned = z.looseObject({
  fits: z.boolean(),
  totals: z.looseObject({ texts: z.number(), optimizer_steps: z.number() }),
  memory: z.looseObject({
    device: z.looseObject({ kind: z.literal('cpu'), memory_bytes: z.number() }),
    estimates: z.array(
      z.looseObject({ stage: z.string(), fits: z.boolean(), total_bytes: z.number() }),
    ),
  }),
});

async function planned({ python, options = [] }: { python?: string; options?: string[] }) {
  const folder = await temporaryDirectory();
  await mkdir(join(folder, 'photos'));
  for (const name of ['a.png', 'b.JPG', 'notes.txt']) {
    await writeFile(join(folder, 'photos', name), '');
  }
  const config = {
    name: 'mine',
    model: { source: 'builtin:scenes/model', dtype: 'float32', device: 'cpu' },
    images: { source: join(folder, 'photos') },
    training_stages: ['preference_training'],
  };
  await writeFile(join(folder, 'mine.yaml'), JSON.stringify(config));
  const written: string[] = [];
  const complained: string[] = [];
  const io = {
    stdout: { write: (text: string) => written.push(text) },
    stderr: { write: (text: string) => complained.push(text) },
    env: python === undefined ? process.env : { ...process.env, STICFLOW_PYTHON: python },
  };
  const args = ['plan', join(folder, 'mine.yaml'), '--workspace', join(folder, 'w'), ...options];
  const exitCode = await runCli(args, io, new AbortController().signal);
  return { exitCode, stdout: written.join(''), stderr: complained.join('') };
}

describe('sticflow plan', () => {
  it('counts images by name and estimates memory on this machine', async () => {
    const { exitCode, stdout, stderr } = await planned({ options: ['--json'] });

    expect(stderr).toBe('');
    const document = Planned.parse(JSON.parse(stdout));
    // Two images: four texts, one step.
    expect(document.totals).toEqual({ texts: 4, optimizer_steps: 1 });
    expect(document.memory.estimates.map(({ stage }) => stage)).toEqual([
      'preference_training',
      'generation',
    ]);
    expect(exitCode).toBe(0);
  }, 60_000); // importing torch on a busy core

  it('refuses what the machine cannot hold, and says which part and of what', async () => {
    const { exitCode, stdout } = await planned({ python: await smallGpu() });

    expect(exitCode).toBe(3);
    expect(stdout).toContain('preference_training: 30.0 GB  DOES NOT FIT (1 x 3124 tokens)');
    expect(stdout).toContain('weights 15.0 GB, activations 14.0 GB, optimizer 1.00 GB');
    expect(stdout).toContain('has not been held against measurements');
  });
});

/** A program that answers as `sticflow_ml.plan_memory` would where the GPU is too small. */
async function smallGpu(): Promise<string> {
  const terms = { weights: 15e9, activations: 14e9, optimizer: 1e9 };
  const answer = {
    device: { kind: 'cuda', name: 'Small GPU', memory_bytes: 24e9 },
    model: {
      num_weights: 7.5e9,
      num_layers: 32,
      hidden_size: 4096,
      image_tokens: 2928,
      image_tokens_known: true,
    },
    estimates: [
      {
        stage: 'preference_training',
        rows: 1,
        row_tokens: 3124,
        gradient_checkpointing: false,
        adapter_bytes: 1e9,
        terms,
        total_bytes: 30e9,
        fits: false,
      },
    ],
  };
  const program = join(await temporaryDirectory(), 'python');
  await writeFile(program, `#!/bin/sh\ncat > /dev/null\necho '${JSON.stringify(answer)}'\n`);
  await chmod(program, 0o755);
  return program;
}
