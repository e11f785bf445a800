import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { hostId, isEarlierBoot } from '../../src/base/host-id.ts';

const run = promisify(execFile);
const MODULE = new URL('../../src/base/host-id.ts', import.meta.url).href;

test('every process of this machine has the same id, which begins with its name', async () => {
  const ask = `import { hostId } from ${JSON.stringify(MODULE)}; console.log(hostId())`;
  assert.equal((await run(process.execPath, ['--input-type=module', '--eval', ask])).stdout.trim(), hostId());
  assert.ok(hostId().startsWith(hostname()));
  assert.equal(hostId().split('/').length, 2);
});

test('where process ids are counted anew, as in a container, the id is another', async (t) => {
  const ask = `import { hostId } from ${JSON.stringify(MODULE)}; console.log(hostId())`;
  const inside = await run('unshare', [
    ...['--pid', '--fork', '--mount-proc', process.execPath],
    ...['--input-type=module', '--eval', ask],
  ]).catch(() => undefined);
  if (inside === undefined) return t.skip('may not make a namespace here');
  assert.notEqual(inside.stdout.trim(), hostId());
  assert.equal(isEarlierBoot(inside.stdout.trim(), hostId()), false);
});

test('only the same machine on another boot is one that was started again', () => {
  assert.equal(isEarlierBoot('box-1a/00000001', 'box-1a/00000002'), true);
  assert.equal(isEarlierBoot('box-1a/00000001', 'box-1a/00000001'), false);
  assert.equal(isEarlierBoot('box-1a/00000001', 'box-2b/00000002'), false);
  assert.equal(isEarlierBoot('box/00000001.4026532000', 'box/00000002.4026532000'), false);
});
