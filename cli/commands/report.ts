/** `sticflow report`: where the report of a run lies; opens it on request. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { execa } from 'execa';
import { reportFile } from '../../store/layout.ts';
import { type CommonOptions, newCommand, type Shell } from '../command.ts';
import { cannotOpen, noReport } from '../errors.ts';
import { chooseRun } from '../run-file.ts';

interface ReportOptions extends CommonOptions {
  readonly open?: boolean;
}

export function reportCommand(shell: Shell): Command {
  return newCommand('report', {
    summary: 'tell where the report of a run is',
    description:
      'The report is one HTML file that needs no server and no network; it is written anew after each round.',
    examples: [
      ['sticflow report', "path of the last started run's report"],
      ['sticflow report --open', 'show it in the browser'],
    ],
  })
    .argument('[run]', 'id of the run')
    .option('--open', 'open it in the browser')
    .action(async (named: string | undefined, options: ReportOptions) => {
      await shell.perform(options, async ({ workspace }) => {
        const runId = await chooseRun(workspace, named);
        const report = reportFile(workspace, runId);
        if (!existsSync(report)) throw noReport(runId);
        if (options.open === true) await open(report);
        return { document: { run_id: runId, report }, text: `report: ${report}` };
      });
    });
}

async function open(file: string): Promise<void> {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const result = await execa(program, [file], { reject: false, stdio: 'ignore' });
  if (result.failed) throw cannotOpen(program, file);
}
