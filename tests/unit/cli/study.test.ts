import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EXIT } from '../../../cli/exit-codes.ts';
import { runCli } from '../../../cli/program.ts';
import { studyOutcome } from '../../../cli/study/outcome.ts';
import { temporaryFolder } from '../../setup/programs.ts';
import { studyPage } from '../report/study-fixture.ts';

async function sticflow(...args: string[]) {
  const written = { stdout: '', stderr: '' };
  const stream = (name: keyof typeof written) => ({
    write(text: string) {
      written[name] += text;
    },
  });
  const io = { stdout: stream('stdout'), stderr: stream('stderr'), env: {} };
  const workspace = ['--workspace', temporaryFolder()];
  const exitCode = await runCli([...args, ...workspace], io, new AbortController().signal);
  return { ...written, exitCode };
}

describe('sticflow study', () => {
  it('without a name lists the studies and their sizes', async () => {
    const { stdout, exitCode } = await sticflow('study');

    expect(exitCode).toBe(EXIT.done);
    expect(stdout).toMatch(/^table2 +quick, full, real +Describe-and-respond by stage$/m);
  });

  it('says what a study will take and starts nothing', async () => {
    const { stdout, stderr, exitCode } = await sticflow('study', 'table2', '--quick', '--estimate');

    // Two runs of 240 pairs and 120 examples: 2 x (480 + 120) texts, 2 x (240 + 120) examples.
    expect(stdout).toContain(
      'At most 1,200 texts, 720 trained examples and 6 evaluations in 2 runs',
    );
    expect(stdout).toMatch(/^About \d+ min \d+ s on one core, or less\.$/m);
    expect(stderr).toBe('');
    expect(exitCode).toBe(EXIT.done);
  });

  it('takes other seeds', async () => {
    const { stdout } = await sticflow('study', 'table2', '--quick', '--seeds', '7', '--estimate');

    expect(stdout).toContain('in 1 run;');
  });

  it('answers an unknown name with the names there are', async () => {
    const { stderr, exitCode } = await sticflow('study', 'table9', '--quick');

    expect(exitCode).toBe(EXIT.usage);
    expect(stderr).toContain('got "table9". The studies are: corruptions, curation, figure6');
  });

  it('answers a description with a row of no arm by the place of the mistake', async () => {
    const file = join(temporaryFolder(), 'mine.yaml');
    writeFileSync(
      file,
      [
        'name: mine',
        'title: Mine',
        'question: Is it?',
        'sizes: { quick: { base: scenes-quick, seeds: [0] } }',
        'arms: [{ name: one, title: One }]',
        'measures: [accuracy]',
        'rows: [{ name: base, title: Base, arm: two, policy: base }]',
      ].join('\n'),
    );
    const { stderr, exitCode } = await sticflow('study', file, '--quick');

    expect(exitCode).toBe(EXIT.usage);
    expect(stderr).toContain('names no arm: "two"');
    expect(stderr).toContain('rows[0].arm');
  });
});

describe('what a study found', () => {
  const { result } = studyPage();
  const { text, document, exitCode } = studyOutcome('/workspace', result);

  it('is a table, the claims with figures of both sides, and the runs that gave nothing', () => {
    expect(text).toMatch(/^Base +1 +0\.700 \[0\.680, 0\.720\] +0\.610 \[0\.580, 0\.640\]$/m);
    expect(text).toMatch(
      /^holds +Describe-and-respond hurts.* -9\.0 \[-13\.0, -5\.0\] +paper -2\.3$/m,
    );
    expect(text).toMatch(/^stic · seed 1 +failed +The loss of step 2 is not finite\.$/m);
    expect(text).toContain('page: /workspace/studies/table2-quick-0123456789/study.html');
  });

  it('with a failed run is exit code 4, and the document has everything but the points of the map', () => {
    expect(exitCode).toBe(EXIT.failed);
    expect(document).toMatchObject({
      rows: [{ name: 'base' }, {}, {}],
      features: { num_points: 2 },
    });
    expect(JSON.stringify(document)).not.toContain('"points"');
  });
});
