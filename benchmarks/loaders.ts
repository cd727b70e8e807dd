/** Loaders of users' benchmark files, by benchmark. A new one is its file and a line here. */
import { loadChair } from './chair-loader.ts';
import { loadChartqa } from './chartqa-loader.ts';
import { loadLlavabench } from './llavabench-loader.ts';
import type { BenchmarkLoader } from './loader.ts';
import { loadMathvista } from './mathvista-loader.ts';
import { loadMmbench } from './mmbench-loader.ts';
import { loadMmvet } from './mmvet-loader.ts';
import { loadPope } from './pope-loader.ts';
import { loadScienceqa } from './scienceqa-loader.ts';
import { loadTextvqa } from './textvqa-loader.ts';

export const LOADERS: Readonly<Record<string, BenchmarkLoader>> = {
  scienceqa: loadScienceqa,
  textvqa: loadTextvqa,
  chartqa: loadChartqa,
  llavabench: loadLlavabench,
  mmbench: loadMmbench,
  mmvet: loadMmvet,
  mathvista: loadMathvista,
  pope: loadPope,
  chair: loadChair,
};
