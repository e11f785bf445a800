import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Place, root } from './zephyr.ts';

/** A copy of zephyr to which something is added; what is not told to it stays as it is here. */
export class Extended {
  readonly folder = mkdtempSync(join(tmpdir(), 'zephyr-sample-'));
  /** an empty home, and the copy's program */
  readonly place: Place;

  constructor(env: Readonly<Record<string, string>> = {}) {
    for (const name of ['configs', 'node_modules', 'package.json']) symlinkSync(join(root, name), join(this.folder, name));
    const filter = (path: string) => !path.includes('__pycache__');
    for (const name of ['src', 'scripts', 'test/contracts', 'test/rig'])
      cpSync(join(root, name), join(this.folder, name), { recursive: true, filter });
    const home = join(this.folder, 'home');
    mkdirSync(home);
    this.place = { home, env, cli: join(this.folder, 'src/cli.ts') };
  }

  /** Copies a file or folder of `test/fixtures`. */
  copy(fixture: string, to: string): void {
    cpSync(join(root, 'test/fixtures', fixture), join(this.folder, to), { recursive: true });
  }

  /** Puts a text before the only place where another one stands. */
  insert(path: string, before: string, added: string): void {
    const file = join(this.folder, path);
    const parts = readFileSync(file, 'utf8').split(before);
    assert.equal(parts.length, 2, `${path} has ${JSON.stringify(before)} ${parts.length - 1} times`);
    writeFileSync(file, parts.join(added + before));
  }

  /** Imports a value at the top of a file. */
  import(path: string, name: string, from: string): void {
    const file = join(this.folder, path);
    writeFileSync(file, `import { ${name} } from '${from}';\n${readFileSync(file, 'utf8')}`);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
