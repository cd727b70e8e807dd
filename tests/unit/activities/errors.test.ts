import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { toTemporalFailure, translateErrors } from '../../../activities/errors.ts';
import { SticflowError } from '../../../store/errors.ts';

function translated(error: unknown): ApplicationFailure {
  const failure = toTemporalFailure(error);
  if (failure instanceof ApplicationFailure) return failure;
  throw new Error('expected an ApplicationFailure');
}

describe('toTemporalFailure', () => {
  it('makes the code the type, and the contract decide about retries', () => {
    const never = translated(new SticflowError('ConfigInvalid', 'Expected rounds'));
    const later = translated(new SticflowError('OutOfMemory', 'Expected room'));
    const soon = translated(new SticflowError('ModelProcessDied', 'It ended'));

    expect(never).toMatchObject({ type: 'ConfigInvalid', nonRetryable: true });
    expect(later).toMatchObject({
      type: 'OutOfMemory',
      nonRetryable: false,
      nextRetryDelay: 60_000,
    });
    expect(soon).toMatchObject({ type: 'ModelProcessDied', nonRetryable: false });
    expect(soon.nextRetryDelay).toBeUndefined();
  });

  it('passes a cancellation on as the same object', () => {
    const cancelled = new CancelledFailure('cancelled');

    expect(toTemporalFailure(cancelled)).toBe(cancelled);
  });

  it('calls a full disk by its name', () => {
    const error = Object.assign(new Error('write'), { code: 'ENOSPC' });

    expect(translated(error)).toMatchObject({ type: 'DiskFull', nonRetryable: false });
  });

  it('never tries malformed input again', () => {
    const { error } = z.strictObject({ round: z.int() }).safeParse({ round: 'one' });

    expect(translated(error)).toMatchObject({ type: 'DataInvalid', nonRetryable: true });
  });

  it('keeps the stack of a defect as its cause', () => {
    const defect = new TypeError('undefined is not a shard');

    expect(translated(defect)).toMatchObject({ type: 'Internal', nonRetryable: false });
    expect(translated(defect).cause).toBe(defect);
    expect(translated('a string').message).toBe('a string');
  });

  it('bounds what goes into the history: small facts stay, a long log goes', () => {
    const details = { step: 3, log: 'x'.repeat(5000), item: 'row 7' };

    const failure = translated(new SticflowError('Internal', 'y'.repeat(9000), { details }));

    expect(failure.message).toHaveLength(4000);
    expect(failure.details).toEqual([{ step: 3, item: 'row 7' }]);
  });
});

describe('translateErrors', () => {
  it('keeps inputs, outputs and names, and translates what is thrown', async () => {
    const activities = translateErrors({
      double: (input: number) => Promise.resolve(2 * input),
      fail: () => Promise.reject(new SticflowError('LockHeld', 'Expected the folder to be free')),
    });

    expect(await activities.double(21)).toBe(42);
    await expect(activities.fail()).rejects.toMatchObject({ type: 'LockHeld' });
  });
});
