/** A namespace of its own for a test file: task queues have fixed names, so files may not share one. */
import { randomUUID } from 'node:crypto';
import type { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { vi } from 'vitest';
import { TemporalServerError } from '../../cli/temporal-server/errors.ts';
import { registerSearchAttributes } from '../../cli/temporal-server/namespace.ts';

/** The server tells its parts of a new namespace every few seconds. */
const KNOWN_WITHIN = { timeout: 30_000, interval: 100 };

export async function newNamespace(connection: Connection, address: string): Promise<string> {
  const namespace = `test-${randomUUID()}`;
  await connection.workflowService.registerNamespace({
    namespace,
    workflowExecutionRetentionPeriod: msToTs('1 day'),
  });
  await vi.waitUntil(async () => {
    try {
      await registerSearchAttributes({ connection, namespace, address });
      return true;
    } catch (error) {
      if (error instanceof TemporalServerError) return false;
      throw error;
    }
  }, KNOWN_WITHIN);
  return namespace;
}
