/** The workflows that an orchestrator worker registers, by the names of `WORKFLOWS`. */
export { describe } from './describe.ts';
export { evaluation } from './evaluation-run.ts';
export { round } from './round.ts';
export { selfTraining } from './self-training.ts';
export { shards } from './shards.ts';
export { study } from './study.ts';
