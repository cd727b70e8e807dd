/** `sticflow version`: what is installed here. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { z } from 'zod';
import { PROTOCOL_VERSION } from '../../contract/api.ts';
import { packageRoot } from '../../store/layout.ts';
import { type CommonOptions, newCommand, type Shell } from '../command.ts';

const Package = z.object({ version: z.string() });

/** Version of the installed package. */
export function packageVersion(): string {
  return Package.parse(JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')))
    .version;
}

export function versionCommand(shell: Shell): Command {
  return newCommand('version', {
    summary: 'print the versions of sticflow and of what it runs on',
    examples: [['sticflow version --json', 'for programs and bug reports']],
  }).action(async (options: CommonOptions) => {
    await shell.perform(options, () => {
      const document = {
        sticflow: packageVersion(),
        protocol_version: PROTOCOL_VERSION,
        node: process.versions.node,
        platform: `${process.platform}-${process.arch}`,
      };
      const text = `sticflow ${document.sticflow} (Node.js ${document.node}, ${document.platform}, model process protocol ${String(PROTOCOL_VERSION)})`;
      return Promise.resolve({ document, text });
    });
  });
}
