// Runs the steps of a set-up in order, one line each, and says what was already there.

/**
 * @typedef {object} Step
 * @property {string} name what it provides, as people call it
 * @property {string} doing shown while it works
 * @property {() => boolean | Promise<boolean>} isDone
 * @property {() => unknown} [check] refuses early what `run` would refuse late
 * @property {() => Promise<void>} run
 */

const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;

/**
 * Runs each step that is not done. Earlier steps stay done when a later one fails.
 * @param {readonly Step[]} steps
 * @param {NodeJS.WritableStream} out progress goes here, never to stdout, where results go
 */
export async function runSteps(steps, out) {
  const started = performance.now();
  // All refusals before the first download.
  const pending = [];
  for (const step of steps) {
    if (await step.isDone()) continue;
    await step.check?.();
    pending.push(step);
  }
  for (const step of pending) {
    const stepStarted = performance.now();
    out.write(`setup: ${step.name}: ${step.doing} ... `);
    try {
      await step.run();
    } catch (error) {
      out.write('failed\n');
      throw error;
    }
    out.write(`done in ${seconds(performance.now() - stepStarted)}\n`);
  }
  const kept = steps.length - pending.length;
  out.write(
    `setup: ready in ${seconds(performance.now() - started)} (${kept} of ${steps.length} steps were)\n`,
  );
}
