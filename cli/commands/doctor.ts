/** `sticflow doctor`: whether this machine can run what it is asked to. */
import type { Command } from 'commander';
import { type CommonOptions, type Context, newCommand, type Shell } from '../command.ts';
import { CHECKS, type Finding } from '../doctor/checks.ts';
import { EXIT } from '../exit-codes.ts';
import { type Outcome, type Paint, painter } from '../output.ts';

export function doctorCommand(shell: Shell): Command {
  return newCommand('doctor', {
    summary: 'check this machine; each failing line comes with a command to run',
    description: 'Exit code 3 when a check fails.',
    examples: [['sticflow doctor', 'before the first run, and when something is odd']],
  }).action(async (options: CommonOptions) => {
    await shell.perform(options, examine);
  });
}

async function examine({ workspace, io }: Context): Promise<Outcome> {
  const findings: Finding[] = [];
  for (const check of CHECKS) findings.push(await check({ workspace, io }));
  const isWell = findings.every(({ outcome }) => outcome !== 'failed');
  const paint = painter(io.stdout, io.env);
  return {
    document: { ok: isWell, checks: findings },
    text: findings.map((finding) => line(finding, paint)).join('\n'),
    exitCode: isWell ? EXIT.done : EXIT.refused,
  };
}

function line({ check, outcome, detail, remedy }: Finding, paint: Paint): string {
  const name = check.padEnd(16);
  switch (outcome) {
    case 'ok':
      return `${paint('green', '✔')} ${name} ${detail}`;
    case 'note':
      return `${paint('dim', '·')} ${name} ${detail}${remedy === null ? '' : ` (${remedy})`}`;
    case 'failed':
      return `${paint('red', '✘')} ${name} ${detail}${remedy === null ? '' : `\n  run: ${remedy}`}`;
  }
}
