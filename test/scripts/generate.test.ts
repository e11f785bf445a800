import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { python } from '../rig/zephyr.ts';

const folder = mkdtempSync(join(tmpdir(), 'zephyr-generate-'));
after(() => rmSync(folder, { recursive: true, force: true }));

describe('The generated sources', () => {
  it('are what the programs of scripts/train say', () => {
    const out = join(folder, 'programs.ts');
    execFileSync(process.execPath, ['scripts/generate.mjs', '--out', out]);
    assert.equal(readFileSync('src/stages/generated/programs.ts', 'utf8'), readFileSync(out, 'utf8'), 'run scripts/generate.mjs');
  });

  it('name of a program every file that it imports, at the top or in a function, and its config as a type', () => {
    const write = (name: string, ...lines: string[]) => writeFileSync(join(folder, name), `${lines.join('\n')}\n`);
    write('shared.py', 'from deep import T', 'class Base:', '    template: str', '    share: float = 0.5');
    write('deep.py', 'import os');
    write('late.py', 'class One:', "    kind: Literal['one']", 'class Two:', '    sizes: list[int] | None', 'Config = One | Two');
    write('unused.py', 'import late');
    write('first.py', 'import shared', 'class Config(shared.Base):', '    names: dict[str, Any]', 'run("first", Config, main)');
    write(
      'second.py',
      'from late import Config',
      'ENVIRONMENT = "other"',
      'def f():',
      '    import deep',
      'run("second", Config, main, many_ranks=True)',
    );
    const text = execFileSync(python, ['scripts/describe_programs.py', folder], { encoding: 'utf8' });
    for (const line of [
      'type Base = { readonly template: string; readonly share?: number; };',
      'readonly first: Base & { readonly names: { readonly [name: string]: Json }; };',
      "readonly second: { readonly kind: 'one'; } | { readonly sizes: readonly (number)[] | null; };",
      "first: ['deep.py', 'first.py', 'shared.py', 'templates/zephyr.jinja'],",
      "second: ['deep.py', 'late.py', 'second.py'],",
      "first: 'train',",
      "second: 'other',",
    ])
      assert.ok(text.includes(line), `${line}\n${text}`);
  });
});
