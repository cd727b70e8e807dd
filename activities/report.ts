/** `writeReport`: assembles what the page needs from the artifacts and writes it atomically. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Activities, WriteReportInput } from '../contract/activities.ts';
import { renderReport } from '../report/html.tsx';
import { REPORT_FILE, reportFile } from '../store/layout.ts';
import type { ActivityDependencies } from './context.ts';
import { reportInput } from './report-input.ts';

export function reportActivities(deps: ActivityDependencies): Pick<Activities, 'writeReport'> {
  return {
    async writeReport(input) {
      const { status } = WriteReportInput.parse(input);
      const page = await renderReport(await reportInput(deps, status));
      const path = reportFile(deps.workspace, status.run_id);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(`${path}.tmp`, page);
      await rename(`${path}.tmp`, path);
      return { report: REPORT_FILE };
    },
  };
}
