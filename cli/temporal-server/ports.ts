/** Free TCP ports on the loopback interface. */
import { createServer } from 'node:net';

/** Everything of the embedded server listens here and nowhere else. */
export const LOOPBACK = '127.0.0.1';

/** `preferred` when nobody listens on it, else a port that the system gives out. */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined) {
    const port = await tryPort(preferred);
    if (port !== undefined) return port;
  }
  const port = await tryPort(0);
  if (port === undefined) throw new Error(`No free TCP port on ${LOOPBACK}`);
  return port;
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(undefined);
    });
    server.listen({ host: LOOPBACK, port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => {
        resolve(address === null || typeof address === 'string' ? undefined : address.port);
      });
    });
  });
}
