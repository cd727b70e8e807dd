/** Scorers of existing answer files, by benchmark. A new one is its file and a line here. */
import { scoreChair } from './chair.ts';
import { scoreChartqa } from './chartqa.ts';
import { scoreLlavabench } from './llavabench.ts';
import { scoreMathvista } from './mathvista.ts';
import { scoreMmbench } from './mmbench.ts';
import { scoreMmvet } from './mmvet.ts';
import { scorePope } from './pope.ts';
import { scoreScienceqa } from './scienceqa.ts';
import type { Scorer } from './scorer.ts';
import { scoreTextvqa } from './textvqa.ts';

export const SCORERS: Readonly<Record<string, Scorer>> = {
  scienceqa: scoreScienceqa,
  textvqa: scoreTextvqa,
  chartqa: scoreChartqa,
  llavabench: scoreLlavabench,
  mmbench: scoreMmbench,
  mmvet: scoreMmvet,
  mathvista: scoreMathvista,
  pope: scorePope,
  chair: scoreChair,
};
