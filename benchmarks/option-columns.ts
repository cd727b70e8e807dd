/** Multiple-choice options that stand in columns A, B, C, ... of a table. */

const LETTERS = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZ');

/** Cells that pandas reads as missing, with which VLMEvalKit reads its tables. */
const MISSING_CELLS = new Set(
  '#N/A,#N/A N/A,#NA,-1.#IND,-1.#QNAN,-NaN,-nan,1.#IND,1.#QNAN,<NA>,N/A,NA,NULL,NaN,None,n/a,nan,null'.split(
    ',',
  ),
);

export function isMissingCell(cell: string): boolean {
  return MISSING_CELLS.has(cell);
}

/** Letters of the columns with one capital letter, in their order, with a cell that is not missing. */
export function optionsOf(cells: {
  readonly get: (column: string) => unknown;
}): Map<string, string> {
  return new Map(
    LETTERS.flatMap((letter) => {
      const option = cells.get(letter);
      return typeof option !== 'string' || option === '' || MISSING_CELLS.has(option)
        ? []
        : [[letter, option] as const];
    }),
  );
}

/** One line an option, as LLaVA's prompts have them: `A. text`. */
export function optionLines(options: ReadonlyMap<string, string>): string {
  return [...options].map(([letter, option]) => `${letter}. ${option}`).join('\n');
}

/** Under the options (LLaVA c121f04, model_vqa_science.py and model_vqa_mmbench.py). */
export const LETTER_INSTRUCTION =
  "Answer with the option's letter from the given choices directly.";
