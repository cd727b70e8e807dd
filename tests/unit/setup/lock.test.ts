import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { completePlatforms, type LockedPackage, platformOf } from '../../../scripts/lock.mjs';

const file = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../../${name}`, import.meta.url)), 'utf8');

describe('lock files', () => {
  it('npm: no package says where it was downloaded from', () => {
    const { packages } = JSON.parse(file('package-lock.json')) as {
      packages: Record<string, Record<string, unknown>>;
    }; // the format of lockfileVersion 3
    expect(Object.keys(packages).length).toBeGreaterThan(100);

    for (const facts of Object.values(packages)) {
      expect(facts).not.toHaveProperty('resolved');
      // Where to give money and what to use instead are the only addresses.
      const { funding: _funding, deprecated: _deprecated, ...rest } = facts;
      expect(JSON.stringify(rest)).not.toContain('://');
    }
  });

  it('Python: no line says where to download from', () => {
    for (const name of ['requirements.lock', 'requirements-dev.lock']) {
      expect(file(`python/${name}`)).not.toMatch(/:\/\/|^-/m);
    }
  });

  it('Python: every requirement is pinned and hashed', () => {
    for (const name of ['requirements.lock', 'requirements-dev.lock']) {
      const requirements = file(`python/${name}`).split(/\n(?=[A-Za-z0-9])/);
      for (const requirement of requirements) {
        expect(requirement).toMatch(/^[\w.[\]-]+==[^\s]+/);
        expect(requirement).toContain('--hash=sha256:');
      }
    }
  });

  it('npm: every direct dependency is an exact version', () => {
    const { dependencies, devDependencies } = JSON.parse(file('package.json')) as Record<
      'dependencies' | 'devDependencies',
      Record<string, string>
    >; // our own package.json
    for (const version of Object.values({ ...dependencies, ...devDependencies })) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    }
  });
});

describe('completePlatforms', () => {
  it('reads the platform from the name of a package', () => {
    expect(platformOf('@swc/core-darwin-arm64')).toEqual({ os: ['darwin'], cpu: ['arm64'] });
    expect(platformOf('@swc/core-linux-x64-musl')).toEqual({
      os: ['linux'],
      cpu: ['x64'],
      libc: ['musl'],
    });
    expect(platformOf('@swc/core-linux-arm-gnueabihf')).toEqual({
      os: ['linux'],
      cpu: ['arm'],
      libc: ['glibc'],
    });
    expect(platformOf('left-pad')).toBeUndefined();
  });

  it('adds what a mirror lacked and leaves the rest alone', () => {
    const linux: LockedPackage = { version: '1.0.0', integrity: 'sha512-x', optional: true };
    const tool: LockedPackage = {
      version: '1.0.0',
      dev: true,
      optionalDependencies: { 'tool-linux-x64': '1.0.0', 'tool-win32-x64': '1.0.0' },
    };

    const complete = completePlatforms({
      '': {},
      'node_modules/tool': tool,
      'node_modules/tool-linux-x64': linux,
    });

    expect(Object.keys(complete)).toEqual([
      '',
      'node_modules/tool',
      'node_modules/tool-linux-x64',
      'node_modules/tool-win32-x64',
    ]);
    expect(complete['node_modules/tool-linux-x64']).toBe(linux);
    expect(complete['node_modules/tool-win32-x64']).toEqual({
      version: '1.0.0',
      os: ['win32'],
      cpu: ['x64'],
      dev: true,
      optional: true,
    });
  });
});
