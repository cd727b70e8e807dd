/**
 * Carries the contract over the border to Python: zod -> committed JSON Schema -> committed pydantic
 * models. `npm run generate:contract` writes both, `-- --check` fails when either is stale.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { PROTOCOL_VERSION } from '../contract/api.ts';
import { LoraSettings } from '../contract/config-training.ts';
import { FAILURES } from '../contract/failures.ts';
import * as infusionRecords from '../contract/infusion-records.ts';
import * as modelProcess from '../contract/model-process.ts';
import * as engines from '../contract/model-process-engines.ts';
import * as training from '../contract/model-process-training.ts';
import * as records from '../contract/records.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SCHEMA_FILE = join(ROOT, 'contract/generated/model-process.schema.json');
const MODELS_FILE = join(ROOT, 'python/sticflow_ml/contract.py');

/** Everything Python reads or writes. The name is the name of the class in `contract.py`. */
const EXPORTED = {
  ModelProcessRequest: modelProcess.ModelProcessRequest,
  ModelProcessMessage: modelProcess.ModelProcessMessage,
  GenerateRequest: modelProcess.GenerateRequest,
  HfEngine: engines.HfEngine,
  OpenAiEngine: engines.OpenAiEngine,
  VllmEngine: engines.VllmEngine,
  ClientSpec: engines.ClientSpec,
  SecretPlace: engines.SecretPlace,
  TrainPreferenceRequest: modelProcess.TrainPreferenceRequest,
  TrainInfusedRequest: modelProcess.TrainInfusedRequest,
  EmbedRequest: modelProcess.EmbedRequest,
  CompareFeaturesRequest: modelProcess.CompareFeaturesRequest,
  InspectModelRequest: modelProcess.InspectModelRequest,
  DownloadModelRequest: modelProcess.DownloadModelRequest,
  ModelSpec: modelProcess.ModelSpec,
  AdapterSpec: modelProcess.AdapterSpec,
  ImageRoots: modelProcess.GenerateRequest.shape.image_roots,
  Projection: modelProcess.Projection,
  NamedFeatures: modelProcess.CompareFeaturesRequest.shape.reference,
  LoraSettings,
  Hosts: training.Hosts,
  OptimizationSpec: training.OptimizationSpec,
  PairObjective: training.PairObjective,
  PositiveOnlyObjective: training.PairObjective.options[0],
  SticReleasedObjective: training.PairObjective.options[1],
  MdpoObjective: training.PairObjective.options[2],
  PovidObjective: training.PairObjective.options[3],
  InfusedBeside: modelProcess.TrainPreferenceRequest.shape.infused.unwrap(),
  PreferenceLoss: modelProcess.TrainPreferenceRequest.shape.loss,
  HelloMessage: modelProcess.HelloMessage,
  ProgressMessage: modelProcess.ProgressMessage,
  MetricMessage: modelProcess.MetricMessage,
  CheckpointMessage: modelProcess.CheckpointMessage,
  NoticeMessage: modelProcess.NoticeMessage,
  ResultMessage: modelProcess.ResultMessage,
  ErrorMessage: modelProcess.ErrorMessage,
  ImageFile: records.ImageFile,
  ImageRecord: records.ImageRecord,
  Contrast: records.Contrast,
  ImageContent: records.UserMessage.shape.content.element.options[0],
  TextContent: records.UserMessage.shape.content.element.options[1],
  GenerationRequest: records.GenerationRequest,
  Generation: records.Generation,
  UserMessage: records.UserMessage,
  AssistantMessage: records.AssistantMessage,
  EmbeddedImage: records.EmbeddedImage,
  PolicyId: records.PolicyId,
  Corruption: records.Corruption,
  LowResolution: records.Corruption.options[0],
  ColorJitter: records.Corruption.options[1],
  Blur: records.Corruption.options[2],
  JpegCompression: records.Corruption.options[3],
  Occlusion: records.Corruption.options[4],
  PatchShuffle: records.Corruption.options[5],
  DiffusionNoise: records.Corruption.options[6],
  Crop: records.Corruption.options[7],
  PreferencePair: records.PreferencePair,
  PreferenceProvenance: records.PreferencePair.shape.provenance,
  Sampling: records.PreferencePair.shape.provenance.shape.sampling,
  InfusedExample: infusionRecords.InfusedExample,
  InfusedProvenance: infusionRecords.InfusedExample.shape.provenance,
  FailureCode: z.enum(Object.keys(FAILURES)),
  ProtocolVersion: z.literal(PROTOCOL_VERSION),
} as const satisfies Record<string, z.ZodType>;

/** Where zod puts what several schemas share but nobody named: here only `z.json()`. */
const SHARED = '#/$defs/__shared';

/** The schema file as it must be on disk. */
function renderSchema(): string {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(EXPORTED)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    io: 'output', // 'input' would make every defaulted field optional in Python
    uri: (id) => `#/$defs/${id}`,
    override: ({ zodSchema, jsonSchema }) => {
      const { def } = zodSchema._zod;
      // pydantic needs the discriminator to say which variant a mistake belongs to
      if (def.type === 'union' && 'discriminator' in def) {
        jsonSchema['discriminator'] = { propertyName: def.discriminator };
      }
      plainForGenerator(jsonSchema);
      // zod's safe-integer bounds say nothing about the field
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  });
  const { __shared: shared, ...named } = schemas;
  assertOnlyJsonValues(shared);
  const defs = Object.fromEntries(
    Object.entries(named).map(([id, schema]): [string, unknown] => {
      delete schema.$schema;
      delete schema.$id;
      return [id, withAnyJson({ title: id, ...schema })];
    }),
  );
  const document = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'ModelProcessContract',
    description: 'Generated from contract/*.ts by scripts/contract.ts. Do not edit.',
    $defs: defs,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** `z.json()` is recursive, and zod refers to it in a way no generator reads: it becomes `{}`, any value. */
function withAnyJson(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(withAnyJson);
  if (typeof node !== 'object' || node === null) return node;
  if ('$ref' in node && String(node.$ref).startsWith(SHARED)) return {};
  return Object.fromEntries(
    Object.entries(node).map(([key, value]): [string, unknown] => [key, withAnyJson(value)]),
  );
}

/**
 * Says `X | null` as `{type: [X, null]}`, and takes bounds off the items of lists: with either, the
 * generator would wrap a bare value in a class of its own.
 */
function plainForGenerator(schema: z.core.JSONSchema.BaseSchema): void {
  const [value, nothing] = schema.anyOf ?? [];
  if (schema.anyOf?.length === 2 && nothing?.type === 'null' && value?.type !== undefined) {
    const { type, ...bounds } = value;
    // A list of words has no place for null: the generator would drop it.
    if (!('enum' in bounds) && (type === 'string' || type === 'number' || type === 'integer')) {
      delete schema.anyOf;
      Object.assign(schema, bounds, { type: [type, 'null'] });
    }
  }
  if (typeof schema.items === 'object' && !Array.isArray(schema.items)) {
    delete schema.items.minLength;
  }
}

function assertOnlyJsonValues(shared: unknown): void {
  const schemas = z
    .object({ $defs: z.record(z.string(), z.object({ anyOf: z.array(z.unknown()).length(6) })) })
    .optional()
    .safeParse(shared);
  if (!schemas.success) {
    throw new Error(
      'Expected only z.json() to be shared without a name. Add the schema to EXPORTED.',
    );
  }
}

function pythonInterpreter(): string {
  const named = process.env['STICFLOW_PYTHON'];
  const local = join(ROOT, '.venv/bin/python');
  if (named !== undefined) return named;
  if (existsSync(local)) return local;
  throw new Error(
    'Expected the Python environment in .venv, found none. Run `npm run bootstrap` first.',
  );
}

/** The pydantic models as they must be on disk, made from `schemaFile` by datamodel-code-generator. */
function renderModels(schemaFile: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'sticflow-contract-'));
  const output = join(folder, 'contract.py');
  try {
    const generator = spawnSync(
      pythonInterpreter(),
      [
        ...['-m', 'datamodel_code_generator', '--input', schemaFile, '--output', output],
        ...['--input-file-type', 'jsonschema', '--output-model-type', 'pydantic_v2.BaseModel'],
        ...['--target-python-version', '3.11', '--formatters', 'builtin'],
        ...['--enum-field-as-literal', 'all', '--use-annotated', '--strict-nullable'],
        ...['--use-union-operator', '--use-standard-collections', '--collapse-root-models'],
        ...['--extra-fields', 'forbid', '--strict-types', 'str', 'int', 'float', 'bool'],
        ...['--disable-timestamp', '--use-title-as-name', '--frozen-dataclasses'],
        ...['--field-constraints', '--use-double-quotes', '--enable-faux-immutability'],
      ],
      { encoding: 'utf8' },
    );
    if (generator.status !== 0) {
      throw new Error(`datamodel-code-generator failed:\n${generator.stderr}`);
    }
    return readFileSync(output, 'utf8');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function main(): void {
  const schema = renderSchema();
  if (!process.argv.includes('--check')) {
    writeFileSync(SCHEMA_FILE, schema);
    writeFileSync(MODELS_FILE, renderModels(SCHEMA_FILE));
    return;
  }
  const stale: string[] = [];
  if (!existsSync(SCHEMA_FILE) || readFileSync(SCHEMA_FILE, 'utf8') !== schema) {
    stale.push(SCHEMA_FILE);
  } else if (
    !existsSync(MODELS_FILE) ||
    readFileSync(MODELS_FILE, 'utf8') !== renderModels(SCHEMA_FILE)
  ) {
    stale.push(MODELS_FILE);
  }
  for (const file of stale) {
    console.error(
      `Expected ${relative(ROOT, file)} to follow from contract/*.ts, but it does not. Run \`npm run generate:contract\` and commit the result.`,
    );
  }
  process.exitCode = stale.length === 0 ? 0 : 1;
}

main();
