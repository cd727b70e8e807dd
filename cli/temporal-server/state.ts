/** What is on record about the embedded server of a workspace: `<workspace>/temporal/server.json`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { hasErrorCode } from '../../store/errors.ts';
import { temporalDir } from '../../store/layout.ts';

/** Ports outlive the processes: a restart uses the same ones when they are free. */
const ServerState = z.strictObject({
  port: z.int().min(1).max(65_535),
  ui_port: z.int().min(1).max(65_535),
  /** What `temporal --version` printed: a database file belongs to the server that made it. */
  cli_version: z.string(),
  /** Absent while no server runs. */
  pid: z.int().positive().optional(),
  supervisor_pid: z.int().positive().optional(),
});

export type ServerState = Readonly<z.infer<typeof ServerState>>;

export interface ServerFiles {
  readonly folder: string;
  readonly state: string;
  readonly database: string;
  readonly log: string;
  readonly lock: string;
}

export function serverFiles(workspace: string): ServerFiles {
  const folder = temporalDir(workspace);
  return {
    folder,
    state: join(folder, 'server.json'),
    database: join(folder, 'temporal.db'),
    log: join(folder, 'server.log'),
    lock: join(folder, 'start.lock'),
  };
}

/** The record, or undefined when there is none or it is not one of ours: ports are then chosen anew. */
export function readServerState(workspace: string): ServerState | undefined {
  try {
    const text = readFileSync(serverFiles(workspace).state, 'utf8');
    return ServerState.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (hasErrorCode(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
