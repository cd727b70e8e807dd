import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkCheckout, checkDisk, checkNode } from '../../../scripts/bootstrap/preflight.mjs';
import { temporaryFolder } from '../../setup/programs.ts';

describe('preflight', () => {
  it.each(['20.10.0', '20.20.2', '22.0.0', '24.1.0'])('accepts Node %s', (version) => {
    expect(() => {
      checkNode(version);
    }).not.toThrow();
  });

  it.each(['20.9.0', '18.20.0', '16.0.0'])('refuses Node %s and says which it wants', (version) => {
    expect(() => {
      checkNode(version);
    }).toThrow(`Expected Node 20.10 or newer, got ${version}: install a newer Node`);
  });

  it('refuses a disk without room for the environment, and says how much is missing', () => {
    const root = temporaryFolder();

    expect(() => {
      checkDisk(root, { ready: false, freeBytes: 4.2e9 });
    }).toThrow(`Expected 9.0 GB of free disk at ${root}, got 4.2 GB: free some space`);
  });

  it('asks for little room once everything is installed', () => {
    expect(() => {
      checkDisk(temporaryFolder(), { ready: true, freeBytes: 4.2e9 });
    }).not.toThrow();
  });

  it('refuses a folder that it cannot write into', () => {
    const root = join(temporaryFolder(), 'absent');

    expect(() => {
      checkDisk(root, { ready: true, freeBytes: 1e12 });
    }).toThrow(`Expected ${root} to be writable: clone sticflow into a folder that you own`);
  });

  it('names the files that a checkout lacks', () => {
    expect(() => {
      checkCheckout(['/nowhere/package-lock.json']);
    }).toThrow('Expected /nowhere/package-lock.json in the checkout: restore it with git checkout');
  });
});
