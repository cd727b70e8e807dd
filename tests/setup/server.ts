/** What tests that need a Temporal server are given: `inject('temporal')` in the projects workflows and e2e. */
export interface TestServer {
  readonly address: string;
  readonly namespace: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    /** The one dev server of this test run; use task queues and workflow ids of your own on it. */
    temporal: TestServer;
  }
}
