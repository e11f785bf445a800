import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { readSplit } from '../../src/datasets/rows.ts';
import { ZephyrError } from '../../src/errors.ts';

type Told = { readonly rows: readonly unknown[] } | { readonly refused: string };
type Layout = Told & {
  readonly name: string;
  readonly files: Readonly<Record<string, string | { readonly base64: string }>>;
  readonly config: string | null;
  readonly split: string;
  /** where zephyr knowingly does something else */
  readonly ours?: Told;
};
const { layouts } = JSON.parse(await readFile('test/fixtures/layouts.json', 'utf8')) as { readonly layouts: readonly Layout[] };

/** Formats that only a job in Python reads. */
const NOT_READ = /\.(csv|tsv|txt|bz2)$/;

describe('A folder of data gives what load_dataset gives, or is refused by name:', () => {
  for (const { name, files, config, split, ours, ...told } of layouts)
    it(name, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'zephyr-layout-'));
      try {
        for (const [path, content] of Object.entries(files)) {
          await mkdir(dirname(join(folder, path)), { recursive: true });
          await writeFile(join(folder, path), typeof content === 'string' ? content : Buffer.from(content.base64, 'base64'));
        }
        const read = await rowsOf(folder, config, split);
        const isRead = !Object.keys(files).some((path) => NOT_READ.test(path));
        const expected = ours ?? told;
        if ('rows' in expected && (isRead || 'rows' in read)) assert.deepEqual(read, { rows: expected.rows });
        else {
          assert.ok('refused' in read, JSON.stringify(read));
          assert.match(read.refused, /^Cannot /);
          assert.ok(!read.refused.includes(folder), read.refused);
        }
      } finally {
        await rm(folder, { recursive: true });
      }
    });
});

async function rowsOf(folder: string, config: string | null, split: string): Promise<Told> {
  const rows: unknown[] = [];
  try {
    for await (const row of readSplit(folder, { config: config ?? undefined, split })) rows.push(withoutNulls(row));
    return { rows };
  } catch (error) {
    assert.ok(error instanceof ZephyrError, String(error));
    assert.equal(error.exit, 'usage');
    return { refused: error.message };
  }
}

function withoutNulls(row: Readonly<Record<string, unknown>>): unknown {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null));
}
