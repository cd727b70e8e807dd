/**
 * One Python process and its pipes: started, written to, read from, and ended with everything it
 * started. What is said over the pipes is the subject of `model-process-conversation.ts`.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { execa } from 'execa';
import type { ModelProcessRequest } from '../contract/model-process.ts';
import { canonicalJson, type JsonObject } from '../store/canonical.ts';
import { SticflowError } from '../store/errors.ts';
import { logsDir, pythonDir } from '../store/layout.ts';
import { forgetGroup, rememberGroup, signalGroup } from './model-process-group.ts';
import { LineSplitter, LogTail } from './model-process-lines.ts';

const MAX_LINE_BYTES = 1 << 20;
/** What a failure carries of the log; with the rest of its details it stays below 4 KB. */
const TAIL = { maxLines: 50, maxBytes: 3000 } as const;
/** A dead group's pipes are empty at once; the bound is for a stranger who still holds one. */
const DRAIN_MS = 2_000;

export interface ChildOptions {
  readonly workspace: string;
  /** Program and arguments. */
  readonly command: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export type ChildEvent =
  | { readonly type: 'message'; readonly json: unknown }
  /** The stream cannot be read any further. */
  | { readonly type: 'broken'; readonly reason: string }
  /** The last event: every message was delivered before it. */
  | { readonly type: 'exit'; readonly exit: Exit };

/** A started process; it has said nothing yet. */
export class ModelProcessChild {
  readonly pid: number;
  /** Name of its log in the logs of the workspace. */
  readonly logName: string;
  /** Hears every event; messages that nobody hears go to the log. */
  listener: ((event: ChildEvent) => void) | null = null;
  #exit: Exit | null = null;
  readonly #exited: Promise<void>;
  readonly #stdin: Writable;
  readonly #log: WriteStream;
  readonly #tail = new LogTail(TAIL);

  /** @throws SticflowError `ModelProcessDied` when the program cannot be started. */
  static async start(options: ChildOptions): Promise<ModelProcessChild> {
    const logs = logsDir(options.workspace);
    await mkdir(logs, { recursive: true });
    const [program, ...programArguments] = options.command;
    const subprocess = execa(program, programArguments, {
      cwd: pythonDir(),
      env: { ...options.environment },
      extendEnv: false,
      // A group of its own: a Ctrl-C in the worker's terminal does not reach it, and one signal
      // reaches everything it starts.
      detached: true,
      cleanup: false,
      buffer: false,
      reject: false,
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    });
    if (subprocess.pid === undefined) {
      const { message } = await subprocess;
      throw new SticflowError(
        'ModelProcessDied',
        `Expected a Python interpreter at ${program}. Run \`npm run bootstrap\` or set STICFLOW_PYTHON. (${message ?? 'no reason given'})`,
      );
    }
    rememberGroup(subprocess.pid);
    const { stdin, stdout, stderr, stdio } = subprocess;
    return new ModelProcessChild(subprocess.pid, logs, {
      subprocess,
      stdin,
      stdout,
      stderr,
      messages: stdio[3],
    });
  }

  private constructor(pid: number, logs: string, streams: Streams) {
    this.pid = pid;
    this.logName = `model-process-${Date.now()}-${pid}.log`;
    this.#log = createWriteStream(join(logs, this.logName));
    // A log that cannot be written must not stop the work: the tail is still kept.
    this.#log.on('error', () => this.#log.destroy());
    this.#stdin = streams.stdin;
    // Writing to a process that has just died: its exit tells the story.
    this.#stdin.on('error', () => undefined);
    for (const output of [streams.stdout, streams.stderr]) {
      output.on('data', (chunk: Buffer) => {
        this.#tail.push(chunk);
        this.#log.write(chunk);
      });
    }
    this.#read(streams.messages);
    this.#exited = this.#waitForExit(streams);
  }

  /** How it ended; null while any process of its group may live. */
  get exit(): Exit | null {
    return this.#exit;
  }

  send(request: ModelProcessRequest): void {
    this.#stdin.write(`${canonicalJson(request)}\n`);
  }

  /** SIGTERM to the group, time to save what there is, then SIGKILL to the group. */
  async terminate(graceMs: number): Promise<void> {
    if (this.#exit === null) signalGroup(this.pid, 'SIGTERM');
    await this.leave(graceMs);
  }

  /** SIGKILL to the group. */
  async kill(): Promise<void> {
    await this.leave(0);
  }

  /** Waits for an exit that is on its way; SIGKILL to the group when it does not come. */
  async leave(graceMs: number): Promise<void> {
    if (!(await settlesWithin(this.#exited, graceMs))) signalGroup(this.pid, 'SIGKILL');
    await this.#exited;
  }

  /** Writes a line of ours between those of the process. */
  note(line: string): void {
    this.#log.write(`[worker] ${line}\n`);
  }

  /** Facts for the details of a failure. */
  describe(): JsonObject {
    return { pid: this.pid, log_file: this.logName, log: this.#tail.lines() };
  }

  #read(messages: Readable): void {
    const splitter = new LineSplitter(MAX_LINE_BYTES);
    messages.on('error', () => undefined);
    messages.on('data', (chunk: Buffer) => {
      try {
        for (const line of splitter.push(chunk)) this.#hear(line);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        messages.destroy();
        this.listener?.({ type: 'broken', reason: error.message });
      }
    });
    messages.on('end', () => {
      if (splitter.rest() !== '') this.note(`torn message: ${splitter.rest().slice(0, 500)}`);
    });
  }

  #hear(line: string): void {
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch {
      this.note(`not JSON: ${line.slice(0, 500)}`);
      return;
    }
    if (this.listener === null) this.note(`nobody listens: ${line.slice(0, 500)}`);
    else this.listener({ type: 'message', json });
  }

  async #waitForExit({ subprocess, messages }: Streams): Promise<void> {
    const closed = once(subprocess, 'close');
    const exit = await new Promise<Exit>((resolve) => {
      subprocess.once('exit', (code, signal) => {
        resolve({ code, signal });
      });
    });
    // Whatever it started goes with it: a grandchild would hold the pipes, and the device.
    signalGroup(this.pid, 'SIGKILL');
    await settlesWithin(closed, DRAIN_MS);
    for (const stream of [messages, subprocess.stdout, subprocess.stderr]) stream?.destroy();
    forgetGroup(this.pid);
    this.#exit = exit;
    this.note(`ended with ${exit.signal ?? `exit code ${String(exit.code)}`}`);
    this.#log.end();
    this.listener?.({ type: 'exit', exit });
  }
}

interface Streams {
  readonly subprocess: ChildProcess;
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly messages: Readable;
}

async function settlesWithin(promise: Promise<unknown>, milliseconds: number): Promise<boolean> {
  const timer = new AbortController();
  const late = delay(milliseconds, false, { signal: timer.signal }).catch(() => false);
  const settled = await Promise.race([promise.then(() => true), late]);
  timer.abort();
  return settled;
}
