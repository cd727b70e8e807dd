/** `sticflow compare`: two scored policies against each other. */
import { type Command, InvalidArgumentError } from 'commander';
import { openStore } from '../../store/store.ts';
import { type CommonOptions, type Context, newCommand, type Shell } from '../command.ts';
import { compareSides } from '../compare/comparison.ts';
import { readSide, type Side } from '../compare/sides.ts';
import { comparisonText } from '../compare/table.ts';
import { EXIT } from '../exit-codes.ts';
import type { Outcome } from '../output.ts';
import { findPolicy, parsePolicySpec } from '../policy-spec.ts';
import { knownStatus } from './status.ts';

interface CompareOptions extends CommonOptions {
  readonly items?: number;
  readonly html?: string;
}

/** Answers of each kind of change, where nothing else is asked for. */
const ITEMS_IN_TEXT = 5;
const ITEMS_IN_PAGE = 50;

export function compareCommand(shell: Shell): Command {
  return newCommand('compare', {
    summary:
      'compare two scored policies: differences with intervals and tests, and each changed answer',
    description: `A and B are RUN, RUN:ROUND or RUN:ROUND:POLICY, of runs and of evaluations. Needs no server. What was not measured alike is
not compared: other questions, chat templates, image modes, OCR settings or judges end in exit code 3, with the reason.`,
    examples: [
      ['sticflow compare RUN:1:base RUN:1:infused_training', 'before and after a round'],
      ['sticflow compare eval-1f2e3d4c5b eval-6a7b8c9d0e --json', 'two evaluations, every item'],
      [
        'sticflow compare RUN:1:base RUN:1:infused_training --html changes.html',
        'with images, in one file that needs no network',
      ],
    ],
  })
    .argument('<a>', 'what is compared with')
    .argument('<b>', 'what may be better')
    .option(
      '--items <n>',
      `answers to show of each kind of change, ${ITEMS_IN_TEXT} or in a page ${ITEMS_IN_PAGE} (all are in --json)`,
      count,
    )
    .option('--html <file>', 'write a page with images, prompts and both answers')
    .action(async (a: string, b: string, options: CompareOptions) => {
      await shell.perform(options, async (context) => compare(context, [a, b], options));
    });
}

async function compare(
  context: Context,
  [a, b]: readonly [string, string],
  { items, html }: CompareOptions,
): Promise<Outcome> {
  const store = openStore(context.workspace);
  const sideOf = async (name: string): Promise<Side> => {
    const spec = parsePolicySpec(name);
    const { status } = await knownStatus(context, spec.runId);
    return await readSide(store, name, await findPolicy(store, status, spec));
  };
  const document = compareSides(store, await sideOf(a), await sideOf(b));
  const exitCode = document.refused.length > 0 ? EXIT.refused : EXIT.done;
  const text = comparisonText(document, items ?? ITEMS_IN_TEXT);
  if (html === undefined) return { document, text, exitCode };
  const numItems = items ?? ITEMS_IN_PAGE;
  // Loaded when it is wanted: every other command would wait for the image library.
  const { writeComparisonPage } = await import('../compare/page.ts');
  const page = await writeComparisonPage(document, { file: html, numItems });
  return { document: { ...document, page }, text: `${text}\n\npage: ${page}`, exitCode };
}

function count(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0) return number;
  throw new InvalidArgumentError('Expected a whole number of 0 or more.');
}
