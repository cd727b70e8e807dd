/**
 * Names of inputs that lie outside the artifact store. A person writes paths; the CLI registers
 * each path in the workspace and sends only its id, so that whoever may start a workflow cannot
 * make a worker open a file of their choosing.
 */
import { z } from 'zod';

const BUILTIN = 'builtin:[a-z0-9][a-z0-9_.-]*(?:/[a-z0-9][a-z0-9_.-]*)*';
const REGISTERED = 'source:[0-9a-f]{32}';
const HUB = 'hub:[A-Za-z0-9][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9][A-Za-z0-9_.-]{0,95}@[0-9a-f]{40}';

/** `builtin:scenes/unlabelled` (shipped or made by us) or `source:<id>` (registered by the CLI). */
export const SourceRef = z
  .string()
  .regex(new RegExp(`^(?:${BUILTIN}|${REGISTERED})$`), 'expected builtin:<name> or source:<id>');
export type SourceRef = z.infer<typeof SourceRef>;

/** A model: a {@link SourceRef} to a folder, or `hub:<owner>/<name>@<40-digit commit>`. */
export const ModelSource = z
  .string()
  .regex(
    new RegExp(`^(?:${BUILTIN}|${REGISTERED}|${HUB})$`),
    'expected builtin:<name>, source:<id> or hub:<owner>/<name>@<commit>',
  );
export type ModelSource = z.infer<typeof ModelSource>;

/**
 * A secret by where it is, never by what it is: `env:NAME` of the worker's environment, or
 * `source:<id>` of a file (`file:PATH` in YAML).
 */
export const SecretRef = z
  .string()
  .regex(
    new RegExp(`^(?:env:[A-Za-z_][A-Za-z0-9_]{0,99}|${REGISTERED})$`),
    'expected env:NAME or file:PATH',
  );
export type SecretRef = z.infer<typeof SecretRef>;
