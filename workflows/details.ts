/** A run's status as Markdown, for the "current details" of the Temporal web UI. Pure. */
import { roundWorkflowId } from '../contract/api.ts';
import type { RunStatus, StageStatus } from '../contract/status.ts';

const STATE_MARKS: Record<StageStatus['state'], string> = {
  waiting: '·',
  running: '▶',
  done: '✓',
  skipped: '–',
};

/** Where a run is in the web UI. */
interface Place {
  readonly namespace: string;
  readonly workflowId: string;
}

export function renderDetails(status: RunStatus, place: Place): string {
  const title =
    status.round === 0
      ? `**${status.state}**`
      : `**${status.state}** · round ${String(status.round)} of ${String(status.rounds)}`;
  return [
    `${title} · run \`${status.run_id}\``,
    escapeText(status.message),
    stagesTable(status, place),
    roundsTable(status, place),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

function stagesTable({ stages, round }: RunStatus, place: Place): string {
  if (stages.length === 0) return '';
  const rows = stages.map(({ stage, state, done, total, detail, seconds }) => {
    const progress = total === 0 ? '' : `${String(done)}/${String(total)}`;
    const time = seconds === null ? '' : `${seconds.toFixed(1)} s`;
    return `| ${STATE_MARKS[state]} ${stage} | ${progress} | ${time} | ${escapeText(detail)} |`;
  });
  const heading = round === 0 ? 'stage' : `stage of ${roundLink(round, place)}`;
  return [`| ${heading} | done | time | |`, '|---|---|---|---|', ...rows].join('\n');
}

function roundsTable({ rounds_done }: RunStatus, place: Place): string {
  if (rounds_done.length === 0) return '';
  const rows = rounds_done.map(({ round, action, measure, value }) => {
    const score = value === null ? 'not measured' : `${measure} ${value.toFixed(4)}`;
    return `| ${roundLink(round, place)} | ${escapeText(score)} | ${action} |`;
  });
  return ['| finished | score | decision |', '|---|---|---|', ...rows].join('\n');
}

function roundLink(round: number, { namespace, workflowId }: Place): string {
  const id = encodeURIComponent(roundWorkflowId(workflowId, round));
  return `[round ${String(round)}](/namespaces/${encodeURIComponent(namespace)}/workflows/${id})`;
}

function escapeText(text: string): string {
  return text.replaceAll('\n', ' ').replace(/[\\|[\]<`*_]/g, String.raw`\$&`);
}
