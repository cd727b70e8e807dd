/**
 * References to finished, immutable artifacts and the manifest that proves one complete.
 * Workflows carry references only, never data.
 */
import { z } from 'zod';

export const ARTIFACT_KINDS = [
  'config',
  'model',
  'images',
  'instructions',
  'evaluation_set',
  'generation_requests',
  'generations',
  'preference_pairs',
  'infused_examples',
  'adapter',
  'scores',
  'judgements',
  'comparison',
  'round_result',
  'features',
  'feature_comparison',
  'study_plan',
  'study',
] as const;

export const ArtifactKind = z.enum(ARTIFACT_KINDS);
export type ArtifactKind = z.infer<typeof ArtifactKind>;

export const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 lower-case hex digits');
export const ArtifactKey = z.string().regex(/^[0-9a-f]{32}$/, 'expected 32 lower-case hex digits');

/** Names an artifact without saying where it lies: the store resolves it. */
export const ArtifactRef = z.strictObject({
  kind: ArtifactKind,
  key: ArtifactKey.describe('hash of kind, inputs, config slice, stage version and seed'),
  sha256: Sha256.describe('digest over the names and sha256s of the files in the manifest'),
  num_records: z.int().nonnegative().describe('rows in the main file; 0 where there are no rows'),
});
export type ArtifactRef = z.infer<typeof ArtifactRef>;

export const ManifestFile = z.strictObject({
  name: z.string().min(1).describe('path inside the artifact, with forward slashes'),
  size_bytes: z.int().nonnegative(),
  sha256: Sha256,
});
export type ManifestFile = z.infer<typeof ManifestFile>;

/** `manifest.json`, written last: its presence and its hashes are the proof of completeness. */
export const Manifest = z.strictObject({
  schema_version: z.literal(1),
  kind: ArtifactKind,
  key: ArtifactKey,
  sha256: Sha256,
  num_records: z.int().nonnegative(),
  inputs: z.array(ArtifactRef).describe('artifacts this one was made from: the lineage'),
  parameters: z.record(z.string(), z.json()).describe('the config slice that entered the key'),
  files: z.array(ManifestFile).describe('sorted by name'),
});
export type Manifest = z.infer<typeof Manifest>;
