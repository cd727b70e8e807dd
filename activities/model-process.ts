/**
 * The one place that starts Python: a pool of one warm process per worker. Importing torch and
 * loading a base cost more than a shard of work does, so a process serves request after request
 * until something about it must change.
 */
import { ModelProcessRequest, type ResultMessage } from '../contract/model-process.ts';
import { canonicalJson, type JsonValue } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import { pythonExecutable } from '../store/layout.ts';
import { ModelProcessChild } from './model-process-child.ts';
import { ask, type ConversationOptions, type Graces, greet } from './model-process-conversation.ts';
import { accessFor, modelProcessEnvironment } from './model-process-environment.ts';

export interface ModelProcessesOptions extends Partial<Graces> {
  readonly workspace: string;
  /** Program and arguments; the package's own Python by default. */
  readonly command?: readonly [string, ...string[]];
  /** What the allow-list picks from; this worker's environment by default. */
  readonly environment?: NodeJS.ProcessEnv;
}

interface Warm {
  readonly child: ModelProcessChild;
  /** Requests with another fingerprint need another process. */
  readonly fingerprint: string;
}

/** One step of a large model and its checkpoint; a cancelled run has to be CANCELLED within 30 s. */
const STOP_GRACE_MS = 20_000;
/** An idle process has nothing to save, but a large model to take off its device. */
const END_GRACE_MS = 10_000;

/** Commands that only read the model: the next request finds the process as they found it. */
const LEAVES_NOTHING: readonly ModelProcessRequest['command'][] = ['generate', 'embed'];

/** The model process of a worker. Requests are run one after another. */
export class ModelProcesses {
  readonly #options: Required<ModelProcessesOptions>;
  #warm: Warm | null = null;
  #isClosed = false;
  /** Settles when every request so far is over. */
  #last: Promise<unknown> = Promise.resolve();

  constructor({ environment = process.env, ...options }: ModelProcessesOptions) {
    this.#options = {
      command: [pythonExecutable(environment), '-m', 'sticflow_ml'],
      environment,
      stopGraceMs: STOP_GRACE_MS,
      endGraceMs: END_GRACE_MS,
      ...options,
    };
  }

  /**
   * Runs one request to its result; its files are complete then.
   *
   * @throws SticflowError with a code that the process named, `ModelProcessDied`,
   * `ModelProcessStalled` or `ProtocolMismatch`. When the signal is aborted: its own reason, after
   * the process has saved what it can and is gone.
   */
  run(request: ModelProcessRequest, options: ConversationOptions): Promise<ResultMessage> {
    const result = this.#last.then(() => this.#serve(ModelProcessRequest.parse(request), options));
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Ends the process, with its grace if it is at work; later requests are refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#warm?.child.terminate(this.#options.stopGraceMs);
    await this.#last;
    await this.#retire();
  }

  async #serve(request: ModelProcessRequest, options: ConversationOptions): Promise<ResultMessage> {
    options.signal.throwIfAborted();
    if (this.#isClosed)
      throw new SticflowError('ModelProcessDied', 'This worker is shutting down.');
    const child = await this.#childFor(request, options);
    const result = await ask(child, request, options, this.#options);
    // What a training leaves in memory is not worth a proof that it is harmless.
    if (!LEAVES_NOTHING.includes(request.command)) await this.#retire();
    return result;
  }

  async #childFor(
    request: ModelProcessRequest,
    options: ConversationOptions,
  ): Promise<ModelProcessChild> {
    const access = accessFor(request);
    const fingerprint = canonicalJson([fingerprintOf(request), access]);
    if (this.#warm?.fingerprint === fingerprint && this.#warm.child.exit === null) {
      return this.#warm.child;
    }
    await this.#retire();
    const { workspace, command, environment } = this.#options;
    const child = await ModelProcessChild.start({
      workspace,
      command,
      environment: modelProcessEnvironment(environment, access),
    });
    this.#warm = { child, fingerprint };
    await greet(child, options, this.#options);
    return child;
  }

  async #retire(): Promise<void> {
    await this.#warm?.child.terminate(this.#options.endGraceMs);
    this.#warm = null;
  }
}

/** What a process holds in memory, or has started, for a request. */
function fingerprintOf(request: ModelProcessRequest): JsonValue {
  if (!('model' in request)) return [request.command];
  // A vLLM server holds the device: a training must not share a process with it.
  const { feature_cache = null, quantization = null, ...model } = request.model;
  return [
    { ...model, feature_cache, quantization },
    request.command === 'generate' ? request.engine : { name: 'hf' },
  ];
}
