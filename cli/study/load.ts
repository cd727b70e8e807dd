/** From the name of a study and a size to the request that its workflow takes. */
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { StudyDescription, type StudyRequest, type StudySize } from '../../contract/study.ts';
import { studyDescriptionsDir } from '../../store/layout.ts';
import { forSize } from '../../studies/expand.ts';
import { loadConfig } from '../config/load.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';

interface RequestOptions {
  readonly size: StudySize;
  readonly workspace: string;
  /** Preset or file; null = the one that the study names for the size. */
  readonly base: string | null;
  readonly seeds: readonly number[] | null;
  /** Texts behind `--set`; they win over what the size changes, and arms win over both. */
  readonly overrides: readonly string[];
}

/** Names of the studies that ship with the package. */
export function studyNames(): string[] {
  return readdirSync(studyDescriptionsDir())
    .filter((entry) => entry.endsWith('.yaml'))
    .map((entry) => entry.slice(0, -'.yaml'.length));
}

/** @throws CliError when there is no such study or its file is not as it should be */
export async function loadStudy(name: string): Promise<StudyDescription> {
  const shipped = join(studyDescriptionsDir(), `${name}.yaml`);
  const file = studyNames().includes(name) ? shipped : name;
  if (!existsSync(file)) {
    throw refuse(
      `Expected the name of a study or a YAML file, got "${name}". The studies are: ${studyNames().join(', ')}.`,
    );
  }
  let value: unknown;
  try {
    value = parse(await readFile(file, 'utf8'));
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw refuse(`Expected ${file} to be YAML, got: ${error.message}`);
  }
  const parsed = StudyDescription.safeParse(value);
  if (parsed.success) return parsed.data;
  throw refuse(
    `Expected ${file} to describe a study, as docs/studies.md shows, got:\n${z.prettifyError(parsed.error)}`,
  );
}

/** Completes the base config; whether each arm's config exists is found out by the workflow. */
export async function requestOf(
  description: StudyDescription,
  { size, workspace, base, seeds, overrides }: RequestOptions,
): Promise<StudyRequest> {
  const settings = description.sizes[size];
  if (settings === undefined) {
    throw refuse(
      `Expected a size of the study ${description.name} (${Object.keys(description.sizes).join(', ')}), got "${size}". Choose one with --size.`,
    );
  }
  const ofSize = Object.entries(settings.set).map(
    ([key, value]) => `${key}=${JSON.stringify(value)}`,
  );
  const config = await loadConfig(base ?? settings.base, {
    overrides: [...ofSize, ...overrides],
    workspace,
  });
  const ofThisSize = forSize(description, size);
  return { description: ofThisSize, size, base: config, seeds: [...(seeds ?? settings.seeds)] };
}

function refuse(message: string): CliError {
  return new CliError('StudyInvalid', message, EXIT.usage);
}
