/** `config.json` of a config artifact: all that a run was asked to do, with every default filled in. */
import { z } from 'zod';
import { ExperimentConfig } from './config.ts';
import { Prompts } from './prompts.ts';

export const RunConfig = z.strictObject({ config: ExperimentConfig, prompts: Prompts });
export type RunConfig = z.infer<typeof RunConfig>;
