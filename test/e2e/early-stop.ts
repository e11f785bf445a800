import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Place, start, zephyr } from '../rig/zephyr.ts';
import type { Tiny } from './tiny.ts';

const HOLLOW = 'hf://models/test/hollow';
const HEADER = Buffer.from('{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}');
/** A whole safetensors file of one tensor: length of the header in 8 bytes, header, data. */
export const WEIGHTS = Buffer.concat([Buffer.from([HEADER.length, 0, 0, 0, 0, 0, 0, 0]), HEADER, Buffer.alloc(16)]);

/**
 * The arguments of a dsft stage that makes its dialogues and then ends in seconds: its base model has no tokenizer, which
 * the preparation refuses. Brings that base to the Hub of the place.
 */
export async function stopStage(place: Place, tiny?: Tiny): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-hollow-'));
  await writeFile(join(folder, 'config.json'), '{"model_type": "mistral"}\n');
  await writeFile(join(folder, 'model.safetensors'), WEIGHTS);
  await importFolder(place, folder, HOLLOW);
  return tiny === undefined ? [] : ['dsft', tiny.recipe, '--on', tiny.on('process'), '--set', `base=${HOLLOW}`];
}

export async function importFolder(place: Place, folder: string, as: string): Promise<void> {
  const ended = await zephyr(place, 'hub', 'import', folder, '--as', as);
  if (ended.code !== 0) throw new Error(`Cannot import "${folder}": ${ended.stderr}`);
}

/** `zephyr hub serve` over the Hub of a place. */
export async function startHub(place: Place): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const { child, ended } = await start(place, ['hub', 'serve', '--port', '0']);
  if (child.stdout === null) throw new Error('Cannot read what the Hub prints');
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return {
    url: line.slice(line.indexOf('=') + 1),
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
