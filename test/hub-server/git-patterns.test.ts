import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { ignoredBy, largeBy } from '../../src/hub-server/git-patterns.ts';

describe('The patterns of a repo match as those of git', () => {
  const folder = mkdtempSync(join(tmpdir(), 'zephyr-patterns-'));
  execFileSync('git', ['init', '-q', folder]);
  after(() => rmSync(folder, { recursive: true, force: true }));
  const git = (args: string[], input: string): string =>
    spawnSync('git', ['-C', folder, '-c', 'core.excludesFile=/dev/null', ...args], { input, encoding: 'utf8' }).stdout;

  const word = fc.constantFrom('a', 'b', 'ab', 'a.txt', 'b.bin', 'build', '.x');
  const path = fc.array(word, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const paths = fc.uniqueArray(path, { minLength: 1, maxLength: 12 });
  const glob = fc
    .array(fc.oneof(word, fc.constantFrom('*', '**', '*.txt', 'b*', '?', '[ab]', '[!a]', '*.b?n', '\\a')), {
      minLength: 1,
      maxLength: 3,
    })
    .map((parts) => parts.join('/'));
  const line = fc.tuple(fc.constantFrom('', '', '!'), fc.constantFrom('', '', '/'), glob, fc.constantFrom('', '', '/', ' '));
  const ignore = fc.array(
    fc.oneof(
      line.map((parts) => parts.join('')),
      fc.constantFrom('', '# a', '\\#a'),
    ),
    { maxLength: 5 },
  );

  it('leaves out what a .gitignore leaves out', () => {
    fc.assert(
      fc.property(ignore, paths, (lines, files) => {
        const text = lines.join('\n');
        writeFileSync(join(folder, '.gitignore'), text);
        const shown = git(['check-ignore', '--no-index', '--stdin'], files.join('\n')).split('\n').filter(Boolean);
        assert.deepEqual(files.filter(ignoredBy(text)).sort(), shown.sort());
      }),
      { numRuns: 60 },
    );
  });

  it('keeps with LFS what a .gitattributes keeps', () => {
    const rule = fc
      .tuple(glob, fc.constantFrom('filter=lfs diff=lfs', '-filter', '!filter', 'text', 'filter=other'))
      .map((parts) => parts.join(' '));
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 5 }), paths, (lines, files) => {
        const text = lines.join('\n');
        writeFileSync(join(folder, '.gitattributes'), text);
        const said = git(['check-attr', '--stdin', 'filter'], files.join('\n')).split('\n');
        const large = said.filter((each) => each.endsWith(': filter: lfs')).map((each) => each.slice(0, -': filter: lfs'.length));
        assert.deepEqual(files.filter(largeBy(text)).sort(), large.sort());
      }),
      { numRuns: 60 },
    );
  });
});
