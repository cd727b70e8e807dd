/**
 * The one place that starts Python. A worker has one model process; it is kept warm, because
 * importing torch and loading a base cost more than a shard of work does.
 */
import { join } from 'node:path';
import type { ModelProcessRequest, ModelSpec, ResultMessage } from '../contract/model-process.ts';
import { canonicalJson } from '../store/canonical.ts';
import { packageRoot } from '../store/layout.ts';
import { ModelProcessChild } from './model-process-child.ts';
import { type ConversationOptions, converse } from './model-process-conversation.ts';
import { modelProcessEnvironment } from './model-process-environment.ts';

export interface ModelProcessesOptions {
  readonly workspace: string;
  /** Program and arguments; the package's own Python by default. */
  readonly command?: readonly [string, ...string[]];
  readonly environment?: NodeJS.ProcessEnv;
  /** From SIGTERM to SIGKILL: enough to finish a step and write a checkpoint. */
  readonly stopGraceMs?: number;
}

interface Warm {
  readonly child: ModelProcessChild;
  /** Requests with another fingerprint need another process. */
  readonly fingerprint: string;
}

/** The model process of a worker. Requests are run one after another. */
export class ModelProcesses {
  readonly #options: Required<ModelProcessesOptions>;
  #warm: Warm | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: ModelProcessesOptions) {
    this.#options = {
      command: [pythonProgram(), '-m', 'sticflow_ml'],
      environment: process.env,
      stopGraceMs: 20_000,
      ...options,
    };
  }

  /**
   * Runs one request to its result.
   *
   * @throws SticflowError as the process names it, `ModelProcessDied`, `ModelProcessStalled`,
   * `ProtocolMismatch`; the signal's own reason when that is aborted, after the process is gone.
   */
  async run(request: ModelProcessRequest, options: ConversationOptions): Promise<ResultMessage> {
    const turn = this.#queue.then(() => this.#run(request, options));
    this.#queue = turn.catch(() => undefined);
    return await turn;
  }

  /** Ends the process, if there is one. */
  async close(): Promise<void> {
    const warm = this.#warm;
    this.#warm = null;
    await warm?.child.end(this.#options.stopGraceMs);
  }

  async #run(request: ModelProcessRequest, options: ConversationOptions): Promise<ResultMessage> {
    options.signal.throwIfAborted();
    const child = await this.#childFor(request);
    try {
      const result = await converse(child, request, options);
      if (!isReusableAfter(request)) await this.close();
      return result;
    } catch (error) {
      this.#warm = null;
      await child.terminate(options.signal.aborted ? this.#options.stopGraceMs : 0);
      throw error;
    }
  }

  async #childFor(request: ModelProcessRequest): Promise<ModelProcessChild> {
    const fingerprint = fingerprintOf(request);
    if (this.#warm !== null) {
      if (this.#warm.fingerprint === fingerprint && !this.#warm.child.hasExited) {
        return this.#warm.child;
      }
      await this.close();
    }
    const access = request.command === 'download_model' ? 'hub' : 'offline';
    const child = await ModelProcessChild.start({
      workspace: this.#options.workspace,
      command: this.#options.command,
      environment: modelProcessEnvironment(this.#options.environment, access),
    });
    this.#warm = { child, fingerprint };
    return child;
  }
}

/** After a training the process is replaced: what a training leaves in memory is not worth a proof. */
function isReusableAfter(request: ModelProcessRequest): boolean {
  return request.command === 'generate' || request.command === 'inspect_model';
}

function fingerprintOf(request: ModelProcessRequest): string {
  if (!('model' in request)) return request.command;
  return canonicalJson({ ...request.model } satisfies ModelSpec);
}

function pythonProgram(): string {
  return process.env['STICFLOW_PYTHON'] ?? join(packageRoot(), '.venv', 'bin', 'python');
}
