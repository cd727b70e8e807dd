/** Benchmarks in the forms their users have on disk, with pictures that an image decoder takes. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sharp } from '../../activities/safe-sharp.ts';

/** A rectangle on a background; RGB. */
async function drawn(background: string, rectangle: string): Promise<Buffer> {
  const square = { width: 32, height: 40, channels: 3, background: rectangle } as const;
  const inner = await sharp({ create: square }).png().toBuffer();
  return await sharp({ create: { width: 96, height: 72, channels: 3, background } })
    .composite([{ input: inner, left: 30, top: 12 }])
    .png()
    .toBuffer();
}

/** LLaVA's `playground/data/eval` with POPE, LLaVA-Bench and ScienceQA, of which one question has no picture. */
export async function llavaPlayground(folder: string): Promise<void> {
  const red = await drawn('#303030', '#e02020');
  const blue = await drawn('#f0f0f0', '#2020e0');
  const instruction = 'Answer the question using a single word or phrase.';
  const pictures = { 'COCO_val2014_01.jpg': red, 'COCO_val2014_02.jpg': blue };
  const questions: object[] = [];
  const labels: Record<string, string> = {};
  for (const [place, category] of ['adversarial', 'random', 'popular'].entries()) {
    const lines = Object.keys(pictures).map((image, at) => ({
      question_id: at + 1,
      image,
      text: 'Is there a red square in the image?',
      label: at === 0 ? 'yes' : 'no',
    }));
    labels[`pope/coco/coco_pope_${category}.json`] = jsonLines(lines);
    for (const { question_id, image, text } of lines) {
      const id = place * 10_000_000 + question_id;
      questions.push({ question_id: id, image, text: `${text}\n${instruction}`, category });
    }
  }
  const problem = { choices: ['red', 'green'], answer: 0, hint: '', split: 'test' };
  const colour = { ...problem, question: 'Which color is the square?', image: 'image.png' };
  const legs = { ...problem, question: 'How many legs?', choices: ['six', 'eight'], image: null };
  await writeAll(folder, {
    ...labels,
    'pope/llava_pope_test.jsonl': jsonLines(questions),
    'pope/val2014/COCO_val2014_01.jpg': await sharp(red).jpeg().toBuffer(),
    'pope/val2014/COCO_val2014_02.jpg': await sharp(blue).jpeg().toBuffer(),
    'scienceqa/pid_splits.json': JSON.stringify({ train: [], test: ['7', '8'] }),
    'scienceqa/problems.json': JSON.stringify({ 7: colour, 8: legs }),
    'scienceqa/images/test/7/image.png': red,
    ...llavaBench('llava-bench-in-the-wild', { '001.jpg': red, '002.jpg': blue }),
  });
}

/** A question about each picture, for a judge. */
function llavaBench(
  folder: string,
  pictures: Readonly<Record<string, Buffer>>,
): Record<string, string | Buffer> {
  const images = Object.keys(pictures);
  const asked = { category: 'conv', text: 'What is in the picture?' };
  const questions = images.map((image, question_id) => ({ question_id, image, ...asked }));
  const answers = images.map((_, question_id) => ({ question_id, text: 'A square.' }));
  const files = {
    'questions.jsonl': jsonLines(questions),
    'context.jsonl': jsonLines(images.map((image) => ({ image, caption: 'A square.' }))),
    'answers_gpt4.jsonl': jsonLines(answers),
    ...Object.fromEntries(images.map((image) => [`images/${image}`, pictures[image] ?? ''])),
  };
  return Object.fromEntries(
    Object.entries(files).map(([name, content]) => [`${folder}/${name}`, content]),
  );
}

/** VLMEvalKit's table of MMBench: two questions in two rotations, whose pictures stand by their index. */
export async function mmbenchTable(folder: string): Promise<void> {
  const green = (await drawn('#303030', '#20c020')).toString('base64');
  const white = (await drawn('#804010', '#f8f8f8')).toString('base64');
  const asked = 'What color is the square?';
  const rows = [
    ['index', 'image', 'hint', 'question', 'A', 'B', 'answer', 'category', 'l2-category', 'split'],
    ['3', green, '', asked, 'green', 'pink', 'A', 'attribute', 'coarse_perception', 'dev'],
    ['4', white, 'Look.', asked, 'blue', 'white', 'B', 'attribute', 'coarse_perception', 'dev'],
    ['1000003', '3', '', asked, 'pink', 'green', 'B', 'attribute', 'coarse_perception', 'dev'],
    ['1000004', '4', 'Look.', asked, 'white', 'blue', 'A', 'attribute', 'coarse_perception', 'dev'],
  ];
  const table = rows.map((cells) => `${cells.join('\t')}\n`).join('');
  await writeAll(folder, { 'MMBench_DEV_EN.tsv': table });
}

async function writeAll(
  folder: string,
  files: Readonly<Record<string, string | Buffer>>,
): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

function jsonLines(rows: readonly object[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}
