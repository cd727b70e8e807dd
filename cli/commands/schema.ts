/** `sticflow schema`: JSON Schema of a config file, for editors and programs. */
import type { Command } from 'commander';
import { type CommonOptions, newCommand, type Shell } from '../command.ts';
import { configSchema } from '../config/schema.ts';

export function schemaCommand(shell: Shell): Command {
  return newCommand('schema', {
    summary: 'print the JSON Schema of a config file',
    description:
      'Every key with its meaning, default and range (draft 2020-12). Always JSON, with or without --json.',
    examples: [
      [
        'sticflow schema > sticflow.schema.json',
        'for completion in an editor, with the first line',
      ],
      ['# yaml-language-server: $schema=sticflow.schema.json', 'of the config'],
    ],
  }).action(async (options: CommonOptions) => {
    await shell.perform(options, () => {
      const schema = configSchema();
      return Promise.resolve({ document: schema, text: JSON.stringify(schema, null, 2) });
    });
  });
}
