/** Benchmarks about objects that are or are not there: POPE and CHAIR. */
import { BLUE, type LayoutFiles, lines, picture, RED, table } from './files.ts';

const [FIRST, SECOND] = ['COCO_val2014_000000000001.jpg', 'COCO_val2014_000000000002.jpg'];
const WORD = 'Answer the question using a single word or phrase.';

const dog = { image: FIRST, text: 'Is there a dog in the image?', label: 'yes' };
const cat = { image: FIRST, text: 'Is there a cat in the image?', label: 'no' };
const car = { image: SECOND, text: 'Is there a car in the image?', label: 'no' };
const bus = { image: SECOND, text: 'Is there a bus in the image?', label: 'no' };

const asked = (id: number, category: string, { image, text }: typeof dog) => ({
  question_id: id,
  image,
  text: `${text}\n${WORD}`,
  category,
});

export const pope: LayoutFiles = {
  official: {
    'llava_pope_test.jsonl': lines(
      asked(1, 'adversarial', dog),
      asked(2, 'adversarial', cat),
      asked(10000001, 'random', dog),
      asked(10000002, 'random', car),
      asked(20000001, 'popular', dog),
      asked(20000002, 'popular', bus),
    ),
    'coco/coco_pope_adversarial.json': lines(
      { question_id: 1, ...dog },
      { question_id: 2, ...cat },
    ),
    'coco/coco_pope_random.json': lines({ question_id: 1, ...dog }, { question_id: 2, ...car }),
    'coco/coco_pope_popular.json': lines({ question_id: 1, ...dog }, { question_id: 2, ...bus }),
    [`val2014/${FIRST}`]: picture('red'),
    [`val2014/${SECOND}`]: picture('blue'),
  },
  tsv: {
    'POPE.tsv': table([
      ['index', 'image', 'question', 'answer', 'category'],
      ['0', RED, `${dog.text} Please answer yes or no.`, 'Yes', 'adversarial,popular,random'],
      ['1', '0', `${cat.text} Please answer yes or no.`, 'No', 'adversarial'],
      ['2', BLUE, `${car.text} Please answer yes or no.`, 'No', 'random'],
      ['3', '2', `${bus.text} Please answer yes or no.`, 'No', 'popular'],
    ]),
  },
};

export const chair: LayoutFiles = {
  shared: {
    'image_objects.json': JSON.stringify({ '42': ['dog'], '1270': ['bench', 'person'] }),
    'object_synonyms.json': JSON.stringify({
      inverse_synonym: { dog: 'dog', puppy: 'dog', bench: 'bench', cat: 'cat' },
      double_words: { 'hot dog': 'hot dog' },
    }),
  },
  official: {
    'val2014/COCO_val2014_000000000042.jpg': picture('blue'),
    'val2014/COCO_val2014_000000001270.jpg': picture('red'),
  },
  tsv: {
    'COCO_VAL.tsv': table([
      ['index', 'image', 'image_id', 'answer'],
      ['0', BLUE, '42', "['A dog.', 'A dog lies.']"],
      ['1', RED, '1270', "['A bench.']"],
      ['2', '1', '9999', "['Not asked.']"],
    ]),
  },
};
