/** A workspace of its own with a real server, real workers and the built command line. */
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { execa } from 'execa';
import { readSnapshot, type Snapshot } from '../../cli/progress/snapshot.ts';
import { isNotFound, isQueryUnanswered, isUnreachable } from '../../cli/temporal-errors.ts';
import { readServerState } from '../../cli/temporal-server/state.ts';
import { workflowId } from '../../contract/api.ts';
import { artifactsDir } from '../../store/layout.ts';
import { readManifest } from '../../store/manifest.ts';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** How often a condition is looked at. */
const POLL_MS = 100;

/** A condition that takes longer will not come: the test says what it saw instead of running out of time. */
const CONDITION_WITHIN_MS = 150_000;

/** `temporal.api.enums.v1.PendingActivityState`: a worker has it. */
const PENDING_ACTIVITY_STATE_STARTED = 2;

export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** One installation: its folder, its server, its workers. Dispose it to end them. */
export class Workspace implements AsyncDisposable {
  readonly dir = realpathSync(mkdtempSync(join(tmpdir(), 'sticflow-e2e-')));
  readonly #environment: Readonly<Record<string, string>>;

  /** @param environment also seen by workers and model processes, such as `STICFLOW_FAULTS` */
  constructor(environment: Readonly<Record<string, string>> = {}) {
    this.#environment = environment;
  }

  /** Runs `sticflow ARGS` to its end, whatever its exit code is. */
  async sticflow(...args: string[]): Promise<Finished> {
    const result = await this.begin(...args);
    return { exitCode: result.exitCode ?? -1, stdout: result.stdout, stderr: result.stderr };
  }

  /** Starts `sticflow ARGS`, to be killed before its end. */
  begin(...args: string[]) {
    return execa(process.execPath, [MAIN, ...args], {
      env: { ...this.#environment, STICFLOW_WORKSPACE: this.dir, NO_COLOR: '1' },
      reject: false,
      stdin: 'ignore',
    });
  }

  /** Runs `sticflow ARGS --json`. @throws when the exit code is not the expected one */
  async json(args: readonly string[], exitCode = 0): Promise<Record<string, unknown>> {
    const finished = await this.sticflow(...args, '--json');
    if (finished.exitCode !== exitCode) {
      throw new Error(
        `expected exit code ${String(exitCode)} of ${args.join(' ')}, got ` +
          `${String(finished.exitCode)}:\n${finished.stderr}\n${finished.stdout}`,
      );
    }
    const document: unknown = JSON.parse(finished.stdout);
    if (typeof document !== 'object' || document === null) throw new Error(finished.stdout);
    return { ...document };
  }

  /** Starts a run and leaves it; returns its id. */
  async start(...args: string[]): Promise<string> {
    const { run_id: runId } = await this.json(['run', ...args, '--detach'], 6);
    return String(runId);
  }

  get address(): string {
    return `127.0.0.1:${String(this.server().port)}`;
  }

  server(): NonNullable<ReturnType<typeof readServerState>> {
    const state = readServerState(this.dir);
    if (state === undefined) throw new Error(`no server runs for ${this.dir}`);
    return state;
  }

  /**
   * Asks the run for its status until it is as wanted; servers and workers may come and go.
   *
   * @throws when it does not come to that, with what was seen last
   */
  async until(runId: string, isWanted: (look: Snapshot) => boolean): Promise<Snapshot> {
    const connection = Connection.lazy({ address: this.address });
    try {
      const client = new Client({ connection });
      const deadline = performance.now() + CONDITION_WITHIN_MS;
      let seen: Snapshot | null = null;
      while (performance.now() < deadline) {
        const look = await lookAt(client, runId);
        if (look !== null && isWanted(look)) return look;
        seen = look ?? seen;
        // What has not come by the end of the run will not come.
        if (look !== null && isOver(look)) break;
        await wait(POLL_MS);
      }
      throw new Error(`the run never became as wanted; last seen: ${JSON.stringify(seen)}`);
    } finally {
      await connection.close();
    }
  }

  /**
   * Waits until a worker has begun an activity of one of the run's workflows. Asks the server alone: a query of the
   * run waits for workflow tasks and may look away for as long as a short stage takes.
   *
   * @param below - last part of the workflow's id, such as `round-1`
   * @throws when the run is over before that
   */
  async untilStarted(runId: string, below: string, activity: string): Promise<void> {
    const connection = Connection.lazy({ address: this.address });
    try {
      const { workflow } = new Client({ connection });
      const deadline = performance.now() + CONDITION_WITHIN_MS;
      while (performance.now() < deadline) {
        const pending = await pendingActivities(workflow, `${workflowId(runId)}/${below}`);
        if (pending.some(({ type, started }) => type === activity && started)) return;
        await wait(POLL_MS);
      }
      throw new Error(`no worker ever began ${activity} of ${below}`);
    } finally {
      await connection.close();
    }
  }

  /** Hash of every artifact by kind and key: what must not depend on what happened on the way. */
  hashes(): Record<string, string> {
    const root = artifactsDir(this.dir);
    const folders = readdirSync(root).flatMap((kind) =>
      readdirSync(join(root, kind)).map((key) => join(kind, key)),
    );
    return Object.fromEntries(
      folders.flatMap((folder) => {
        const manifest = readManifest(join(root, folder));
        return manifest === null ? [] : [[folder, manifest.sha256] as const];
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sticflow('down');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

async function pendingActivities(workflow: Client['workflow'], id: string) {
  try {
    const { raw } = await workflow.getHandle(id).describe();
    return (raw.pendingActivities ?? []).map(({ activityType, state }) => ({
      type: activityType?.name,
      // The protocol's enums come as numbers.
      started: Number(state) === PENDING_ACTIVITY_STATE_STARTED,
    }));
  } catch (error) {
    if (isNotFound(error) || isUnreachable(error)) return [];
    throw error;
  }
}

function isOver({ status }: Snapshot): boolean {
  return ['completed', 'cancelled', 'failed'].includes(status.state);
}

async function lookAt(client: Client, runId: string): Promise<Snapshot | null> {
  try {
    return await readSnapshot(client, workflowId(runId));
  } catch (error) {
    if (isQueryUnanswered(error) || isUnreachable(error)) return null;
    throw error;
  }
}

/** Process ids whose command line has all the words, read from the kernel. */
export function processesWith(...words: string[]): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const line = commandLine(pid);
      return words.every((word) => line.includes(word));
    })
    .map(Number);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(join('/proc', pid, 'cmdline'), 'utf8').replaceAll('\0', ' ');
  } catch {
    return ''; // gone in the meantime
  }
}
