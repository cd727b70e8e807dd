/** The workflows that an orchestrator worker registers, by the names of `WORKFLOWS`. */
export { describe } from './describe.ts';
export { round } from './round.ts';
export { selfTraining } from './self-training.ts';
export { shards } from './shards.ts';
