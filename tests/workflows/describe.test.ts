// Workflow `describe`: what `sticflow describe` asks of a policy.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TASK_QUEUES, WORKFLOWS, workflowId } from '../../contract/api.ts';
import type { DescribeInput, DescribeOutput } from '../../contract/workflows.ts';
import { artifact, type FakeRun } from './fake-run.ts';
import { Orchestra } from './orchestra.ts';

let orchestra: Orchestra;
beforeAll(async () => {
  orchestra = await Orchestra.start();
});
afterAll(async () => {
  await orchestra.close();
});

async function ask(run: FakeRun, what: Partial<DescribeInput>): Promise<DescribeOutput> {
  type Describe = (input: DescribeInput) => Promise<DescribeOutput>;
  return orchestra.client.workflow.execute<Describe>(WORKFLOWS.describe, {
    workflowId: `${workflowId(run.runId)}/describe`,
    taskQueue: TASK_QUEUES.orchestrator,
    args: [
      {
        config: artifact('config', 'a config'),
        policy: { model: artifact('model', 'a model'), adapter: artifact('adapter', 'trained') },
        image: 'builtin:scenes/one.png',
        question: null,
        describe_and_respond: false,
        ...what,
      },
    ],
  });
}

describe.concurrent('describe', () => {
  it('without a question describes the image', async () => {
    const run = orchestra.prepare();

    expect(await ask(run, {})).toEqual({ description: 'text 1', answer: null });
    expect(run.calls.map(({ activity }) => activity)).toEqual(['prepareDescribe', 'generateOne']);
  });

  it('answers a question from the image alone', async () => {
    const run = orchestra.prepare();

    expect(await ask(run, { question: 'How many?' })).toEqual({
      description: null,
      answer: 'text 1',
    });
    expect(run.inputsOf('prepareDescribe')).toMatchObject([
      { question: 'How many?', description: null },
    ]);
  });

  it('describes and responds with its own description in front of the question', async () => {
    const run = orchestra.prepare();

    expect(await ask(run, { question: 'How many?', describe_and_respond: true })).toEqual({
      description: 'text 1',
      answer: 'text 2',
    });
    expect(run.inputsOf('prepareDescribe')).toMatchObject([
      { question: null, description: null },
      { question: 'How many?', description: 'text 1' },
    ]);
  });

  it('refuses an input without an image', async () => {
    const run = orchestra.prepare();
    const started = orchestra.client.workflow.execute(WORKFLOWS.describe, {
      workflowId: `${workflowId(run.runId)}/describe`,
      taskQueue: TASK_QUEUES.orchestrator,
      args: [{ config: 1, policy: 2, question: null, describe_and_respond: false }],
    });

    await expect(started).rejects.toMatchObject({
      cause: {
        type: 'ConfigInvalid',
        message:
          'describe expects one JSON object with "config", "policy", "image", "question", ' +
          '"describe_and_respond"; "image" is missing.',
      },
    });
  });
});
