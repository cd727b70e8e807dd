/** `writeReport`: assembles what the page needs from the artifacts and writes it atomically. */
import { type Activities, WriteReportInput } from '../contract/activities.ts';
import { renderReport } from '../report/html.tsx';
import { canonicalJson } from '../store/canonical.ts';
import { REPORT_FILE, reportFile, statusFile } from '../store/layout.ts';
import type { ActivityDependencies } from './context.ts';
import { reportInput } from './report-input.ts';
import { writeWholeFile } from './whole-file.ts';

export function reportActivities(deps: ActivityDependencies): Pick<Activities, 'writeReport'> {
  return {
    async writeReport(input) {
      const { status } = WriteReportInput.parse(input);
      const page = await renderReport(await reportInput(deps, status));
      // The command line answers from the status where no server runs.
      await writeWholeFile(statusFile(deps.workspace, status.run_id), `${canonicalJson(status)}\n`);
      await writeWholeFile(reportFile(deps.workspace, status.run_id), page);
      return { report: REPORT_FILE };
    },
  };
}
