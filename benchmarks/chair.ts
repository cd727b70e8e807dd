/**
 * CHAIR (Maxlinn/CHAIR-metric-standalone 640c507, a port of LisaAnne/Hallucination): which objects a
 * caption names that the image does not have. Shares by caption (CHAIRs) and by mention (CHAIRi).
 */
import { join } from 'node:path';
import { z } from 'zod';
import { captionWords, knownSingular, singular } from './chair-words.ts';
import { readJsonFile, readJsonLines } from './read-files.ts';
import {
  type BenchmarkScore,
  type ParserName,
  type ScoreFiles,
  ScoreInputError,
  share,
} from './scorer.ts';

const Vocabulary = z.object({
  inverse_synonym: z.record(z.string(), z.string()),
  double_words: z.record(z.string(), z.string()),
});
const ImageObjects = z.record(z.string(), z.array(z.string()));
const Caption = z
  .object({
    image_id: z.union([z.string(), z.number()]).transform(String),
    caption: z.string().optional(),
    text: z.string().optional(),
  })
  .refine(({ caption, text }) => caption !== undefined || text !== undefined, {
    message: 'expected a field "caption" (or "text")',
  });

/** Objects by the words that name them. */
interface ObjectVocabulary {
  /** COCO class of each word. */
  readonly classes: ReadonlyMap<string, string>;
  /** What two words in a row are read as. */
  readonly doubleWords: ReadonlyMap<string, string>;
}

interface Scored {
  readonly imageId: string;
  readonly mentioned: readonly string[];
  readonly hallucinated: readonly string[];
  readonly numFound: number;
  readonly numTrue: number;
}

export async function scoreChair(files: ScoreFiles): Promise<BenchmarkScore> {
  const vocabulary = await readVocabulary(files.data);
  const trueObjects = await readJsonFile(join(files.data, 'image_objects.json'), ImageObjects);
  const captions = await readJsonLines(files.answers, Caption);
  const scored = captions.map(({ image_id, caption, text }): Scored => {
    const truth = trueObjects[image_id];
    if (truth === undefined) {
      throw new ScoreInputError(
        `Expected captions of the images in image_objects.json, and image ${image_id} of ${files.answers} is none of them.`,
      );
    }
    const mentioned = mentionedObjects(caption ?? text ?? '', vocabulary, files.parser);
    const found = new Set(mentioned.filter((object) => truth.includes(object)));
    return {
      imageId: image_id,
      mentioned,
      hallucinated: mentioned.filter((object) => !truth.includes(object)),
      numFound: found.size,
      numTrue: new Set(truth).size,
    };
  });
  const sum = (of: (item: Scored) => number): number =>
    scored.reduce((total, item) => total + of(item), 0);
  return {
    metrics: {
      n: scored.length,
      CHAIRs: share(
        sum(({ hallucinated }) => (hallucinated.length > 0 ? 1 : 0)),
        scored.length,
      ),
      CHAIRi: share(
        sum(({ hallucinated }) => hallucinated.length),
        sum(({ mentioned }) => mentioned.length),
      ),
      Recall: share(
        sum(({ numFound }) => numFound),
        sum(({ numTrue }) => numTrue),
      ),
    },
    unparsed: scored.filter(({ mentioned }) => mentioned.length === 0).length,
    items: scored.map(({ imageId, mentioned, hallucinated }) => ({
      item_id: imageId,
      parsed: mentioned.length === 0 ? null : mentioned.join(', '),
      score: hallucinated.length === 0 ? 1 : 0,
    })),
  };
}

async function readVocabulary(data: string): Promise<ObjectVocabulary> {
  const { inverse_synonym, double_words } = await readJsonFile(
    join(data, 'object_synonyms.json'),
    Vocabulary,
  );
  return {
    classes: new Map(Object.entries(inverse_synonym)),
    doubleWords: new Map(Object.entries(double_words)),
  };
}

/**
 * COCO classes in the order of their mentions; a class named twice counts twice. `robust` finds a
 * single bus or glass, which the official plural rules lose.
 */
function mentionedObjects(
  caption: string,
  { classes, doubleWords }: ObjectVocabulary,
  parser: ParserName = 'official',
): string[] {
  const isKnown = (word: string): boolean => word !== '' && classes.has(word);
  const words = captionWords(caption).map((word) =>
    parser === 'official' ? singular(word) : knownSingular(word, isKnown),
  );
  const joined = joinDoubleWords(words, doubleWords);
  // "The seat of the toilet" names no chair.
  const counted = joined.includes('toilet') ? joined.filter((word) => word !== 'seat') : joined;
  return counted.flatMap((word) => classes.get(word) ?? []);
}

function joinDoubleWords(
  words: readonly string[],
  doubleWords: ReadonlyMap<string, string>,
): string[] {
  const result: string[] = [];
  for (let index = 0; index < words.length; index++) {
    const double = doubleWords.get(words.slice(index, index + 2).join(' '));
    if (double !== undefined) index++;
    result.push(double ?? words[index] ?? '');
  }
  return result;
}
