/** What the numbers of a set rest on: missing judgements, pictures that were trained on, tests. */
import type { JSX } from 'preact';
import type { Contamination } from '../../contract/measures.ts';
import { counted } from '../format.ts';
import type { PolicyScores, ReportRound } from '../input.ts';
import { measureLabel, policyLabel } from '../measures.ts';

interface NotesProps {
  readonly set: string;
  readonly rounds: readonly ReportRound[];
}

export function SetNotes({ set, rounds }: NotesProps): JSX.Element | null {
  const scored = rounds.flatMap(({ scores }) => scores.filter((each) => each.set === set));
  const notes = [
    ...new Set([
      ...scored.flatMap(partial),
      ...scored.flatMap(contaminated),
      ...rounds.flatMap((round) => tested(set, round)),
    ]),
  ];
  if (notes.length === 0) return null;
  return (
    <ul class="decisions">
      {notes.map((note) => (
        <li key={note}>{note}</li>
      ))}
    </ul>
  );
}

function partial({ scores, policy }: PolicyScores): string[] {
  return scores.figures
    .filter(({ num_items, num_judged }) => num_judged < num_items)
    .map(
      ({ mode, num_items, num_judged }) =>
        `Partial: ${String(num_judged)} of ${String(num_items)} ${mode} answers of ${policy} are judged, so there is no figure.`,
    );
}

function contaminated({ scores }: PolicyScores): string[] {
  const { contamination, instruction_contamination: ofInstructions = null } = scores;
  return [
    ...(contamination === null ? [] : [overlap(contamination, 'the run trains on')]),
    ...(ofInstructions === null ? [] : [overlap(ofInstructions, 'of the instructions')]),
  ];
}

function overlap(found: Contamination, which: string): string {
  const { num_training_images, num_evaluation_images, identical, alike } = found;
  const among = `the ${counted(num_training_images, 'image')} ${which}`;
  return `Of ${counted(num_evaluation_images, 'image')}, ${String(identical)} ${identical === 1 ? 'is' : 'are'} among ${among}, and ${String(alike)} ${alike === 1 ? 'looks' : 'look'} like one of them.`;
}

function tested(set: string, { round, result }: ReportRound): string[] {
  return (result?.comparisons ?? []).flatMap(({ set: own, from, to, significance }) => {
    if (own !== set || significance === null) return [];
    const { measure, test, p_value, p_holm } = significance;
    const policies = `${policyLabel(from, round)} to ${policyLabel(to, round)}`;
    return [
      `Round ${String(round)}, ${policies}: ${measureLabel(measure)}, p = ${shown(p_value)} (${test}), ${shown(p_holm)} after Holm.`,
    ];
  });
}

function shown(p: number): string {
  return p < 0.0001 ? '<0.0001' : p.toFixed(4);
}
