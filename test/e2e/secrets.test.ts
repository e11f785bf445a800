import assert from 'node:assert/strict';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { before, describe, test } from 'node:test';
import { startPracticeServer } from '../../src/practice/server.ts';
import { assertMistake } from '../rig/mistake.ts';
import { filesWith, sampleProcesses } from '../rig/search.ts';
import { CANARY, type Ended, missing, newPlace, type Place, runsAt, start, zephyr } from '../rig/zephyr.ts';
import { importFolder, stopStage } from './early-stop.ts';
import { importBase, type Tiny, writeTiny } from './tiny.ts';

const skip = missing();
/** A teacher's key without the look of a token: only who knows it can hide it. */
const KEY = 'canary.teacher.key.0123456789';
const SECRETS = [CANARY, KEY];
/** A word that is meant to be found: proves that the search sees into the store. */
const CONTROL = 'a-word-that-lies-in-the-store';

describe('a secret is nowhere but in the environment of zephyr itself', { skip, concurrency: false }, () => {
  let tiny: Tiny;
  before(async () => {
    tiny = await writeTiny();
  });

  /** The tiny recipe with teachers that want a key. */
  async function keyed(url: string): Promise<Tiny> {
    const text = await readFile(tiny.recipe, 'utf8');
    const recipe = join(await mkdtemp(join(tmpdir(), 'zephyr-keyed-')), 'keyed.yaml');
    await writeFile(recipe, text.replaceAll('provider: practice', `provider: openai, keyFrom: TEACHER_KEY, baseUrl: "${url}"`));
    return { ...tiny, recipe };
  }

  test('no argument, job, file of the store, log or line of output holds the token or the key of a teacher', async (t) => {
    const log = join(await mkdtemp(join(tmpdir(), 'zephyr-practice-')), 'log.jsonl');
    // in this process: as one of its own it would show the key among its arguments
    const practice = await startPracticeServer({ seed: 7, key: KEY, log });
    t.after(practice.close);
    const { recipe } = await keyed(practice.url);
    const place = await newPlace({ TEACHER_KEY: KEY });
    await importBase(place);
    const dsft = await watched(place, ['dsft', recipe, '--on', tiny.on('process'), '--yes']);
    const id = dsft.stdout.trim();
    const aif = await watched(place, ['aif', recipe, '--on', tiny.on('process'), '--dsft', id, '--json', '--yes']);
    const rest = [
      await zephyr(place, 'logs', id),
      await zephyr(place, 'status', '--json'),
      await zephyr(place, 'inspect', id, '--json'),
      await zephyr(place, 'plan', recipe, '--on', tiny.on('process'), '--json'),
    ];
    for (const { stdout, stderr } of [dsft, aif, ...rest]) {
      for (const secret of SECRETS) assert.ok(!(stdout + stderr).includes(secret));
    }
    const folder = await mkdtemp(join(tmpdir(), 'zephyr-control-'));
    await writeFile(join(folder, 'README.md'), CONTROL);
    await importFolder(place, folder, 'hf://models/test/control');
    assert.equal((await filesWith(place.home, [CONTROL])).length, 1, 'the search sees what is packed');
    assert.deepEqual(await filesWith(place.home, SECRETS), []);
    assert.deepEqual(await filesWith(dirname(log), SECRETS), []);
  });

  test('a server that says the key back in its error is not quoted', async (t) => {
    const server = createServer((request, response) => {
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { message: `Unknown key ${request.headers.authorization}`, type: 'auth' } }));
    }).listen(0, '127.0.0.1');
    t.after(() => server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const own = await keyed(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
    const place = await newPlace({ TEACHER_KEY: KEY });
    const ended = await zephyr(place, ...(await stopStage(place, own)), '--yes');
    assertMistake(ended, 3, /Unknown key Bearer \[redacted\]/, /key, credit and model of teachers\.\S+ in the recipe/);
    const [run] = await runsAt(place);
    const log = await zephyr(place, 'logs', run?.id ?? '', '--events', '--json');
    assert.match(log.stdout, /"type":"session-ended","exit":"preflight","message":".*Unknown key Bearer \[redacted\]/);
    assert.deepEqual(await filesWith(place.home, SECRETS), []);
  });
});

/** Runs a command and looks at the machine's processes meanwhile. */
async function watched(place: Place, args: readonly string[]): Promise<Ended> {
  const { ended } = await start(place, args);
  const sample = await sampleProcesses(join(place.home, 'jobs'), SECRETS, ended);
  const done = await ended;
  assert.equal(done.code, 0, done.stderr);
  assert.ok(sample.jobs.size > 0, 'jobs were looked at');
  assert.deepEqual([...sample.found], []);
  return done;
}
