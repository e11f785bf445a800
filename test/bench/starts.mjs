// Zephyrs that are started at once on one recipe: of each round exactly one may own the run, and no call may be paid twice.
// `node test/bench/starts.mjs [ROUNDS [KIND]]`, after `npm run build`: so many pairs beside the embedded Hub, as many over HTTP from
// two homes; a tenth of that for each of the others. A figure to read, not a test: test/e2e/at-once.test.ts is one.
import { rm } from 'node:fs/promises';
import { contest, faultsOf } from '../e2e/contenders.ts';
import { startHub, stopStage } from '../e2e/early-stop.ts';
import { clientOf, startProvider, stoppedWhen, writeFeedback } from '../e2e/feedback.ts';
import { writeTiny } from '../e2e/tiny.ts';
import { newPlace } from '../rig/zephyr.ts';

const rounds = Number(process.argv[2] ?? 200);
const only = process.argv[3] ?? '';
const few = Math.max(1, Math.round(rounds / 10));
const feedback = await writeFeedback({ prompts: 4, aspects: ['honesty'], binarize: { testPrompts: 1 } });
const tiny = await writeTiny();
const provider = await startProvider();
const near = await newPlace({ ZEPHYR_PRACTICE_URL: provider.url });
await stopStage(near);
const hub = await startHub(near);
const far = [await clientOf(near, provider), await clientOf(near, provider), await clientOf(near, provider)];

const aif = (name) => ['aif', feedback, '--set', `name=${name}`];
// its base has no tokenizer: the stage ends with exit 2 once its dialogues are made, before anything is trained
const made = (verb, name) => [
  verb,
  tiny.recipe,
  '--on',
  tiny.on('process'),
  '--set',
  'base=hf://models/test/hollow',
  '--set',
  `name=${name}`,
];
const over = (args) => [...args, '--hub', hub.url];
const at = (place, args, afterMs = 0) => ({ place, args, afterMs });
const gap = () => Math.round(Math.random() * 50);

async function crashed(name) {
  const before = (await provider.paid()).length;
  const { stderr } = await stoppedWhen(near, aif(name), provider, (calls) => calls.length - before > 6, 'SIGKILL');
  return /started (hf:\S+@run-\w+)/.exec(stderr)[1];
}

const kinds = [
  ['aif & aif, embedded Hub', rounds, 'aif', 0, (name) => [at(near, aif(name)), at(near, aif(name))]],
  ['aif & aif, remote Hub', rounds, 'aif', 0, (name) => [at(far[0], over(aif(name))), at(far[1], over(aif(name)))]],
  ['aif & aif, 0-50 ms apart, embedded', few, 'aif', 0, (name) => [at(near, aif(name)), at(near, aif(name), gap())]],
  [
    'aif & aif, 0-50 ms apart, remote',
    few,
    'aif',
    0,
    (name) => [at(far[0], over(aif(name))), at(far[1], over(aif(name)), gap())],
  ],
  ['three aif, embedded', few, 'aif', 0, (name) => [1, 2, 3].map(() => at(near, aif(name), gap()))],
  ['three aif, remote', few, 'aif', 0, (name) => far.map((place) => at(place, over(aif(name)), gap()))],
  ['dsft & dsft, embedded', few, 'dsft', 2, (name) => [1, 2].map(() => at(near, made('dsft', name)))],
  ['dsft & dsft, remote', few, 'dsft', 2, (name) => [0, 1].map((one) => at(far[one], over(made('dsft', name))))],
  ['run & dsft, embedded', few, 'dsft', 2, (name) => [at(near, made('run', name)), at(near, made('dsft', name), gap())]],
  [
    'resume & start after a crash',
    few,
    'aif',
    0,
    async (name) => [at(near, ['resume', await crashed(name)]), at(near, aif(name))],
  ],
  [
    'resume & resume after a crash',
    few,
    'aif',
    0,
    async (name) => {
      const id = await crashed(name);
      return [at(near, ['resume', id]), at(near, ['resume', id])];
    },
  ],
];

let bad = 0;
try {
  console.log('kind                                  rounds  one owner  paid twice  seconds a round');
  for (const [index, [kind, times, stage, won, contenders]] of kinds.entries()) {
    if (!kind.includes(only)) continue;
    const began = performance.now();
    let [right, twice] = [0, 0];
    for (let round = 0; round < times; round += 1) {
      const name = `b${index}-${round}`;
      const held = await contest(provider, near, await contenders(name), {
        type: stage === 'aif' ? 'dataset' : 'model',
        name: `test/${name}-${stage}`,
      });
      const faults = faultsOf(held, won);
      twice += held.twice.length;
      if (faults.length === 0) right += 1;
      else console.log(`  round ${round}: ${faults.join('; ')}`);
    }
    bad += times - right;
    const seconds = (performance.now() - began) / 1000 / times;
    console.log(
      `${kind.padEnd(36)}  ${String(times).padStart(6)}  ${String(right).padStart(9)}  ${String(twice).padStart(10)}  ${seconds.toFixed(2)}`,
    );
  }
} finally {
  await hub.stop();
  await provider.stop();
  for (const { home } of [near, ...far]) await rm(home, { recursive: true, force: true });
}
process.exitCode = bad === 0 ? 0 : 1;
