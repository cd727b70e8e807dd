/** Structured concurrency: what starts together ends together. */
import { CancellationScope } from '@temporalio/workflow';

/** Starts work beside the main path; its result may be awaited later. */
export type Aside = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Runs `body` and whatever it starts `aside`. When any of it fails, the rest is cancelled and
 * awaited, and the first failure is thrown: no activity or child outlives this call.
 */
export async function together<T>(body: (aside: Aside) => Promise<T>): Promise<T> {
  const scope = new CancellationScope();
  const started: Promise<unknown>[] = [];
  const failures: unknown[] = [];

  function aside<R>(work: () => Promise<R>): Promise<R> {
    const result = work();
    started.push(
      result.catch((error: unknown) => {
        failures.push(error);
        scope.cancel();
      }),
    );
    return result;
  }

  const result = await scope.run(async () => {
    const main = aside(() => body(aside));
    // Work started aside may start more, so the list can grow while it is awaited.
    for (let index = 0; index < started.length; index += 1) await started[index];
    return failures.length === 0 ? { value: await main } : null;
  });
  if (result === null) throw failures[0];
  return result.value;
}

/** Runs `work` for every number of `[first, end)`, at most `width` at a time, in order of start. */
export async function slidingWindow(
  range: { readonly first: number; readonly end: number; readonly width: number },
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = range.first;
  const lane = async (): Promise<void> => {
    while (next < range.end) {
      const index = next;
      next += 1;
      await work(index);
    }
  };
  await together(async (aside) => {
    const lanes = Math.min(range.width, range.end - range.first);
    await Promise.all(Array.from({ length: lanes }, () => aside(lane)));
  });
}
