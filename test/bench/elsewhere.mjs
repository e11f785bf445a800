// A zephyr that asks teachers, with a remote Hub, is killed between two answered calls, and another one with another home
// goes on: how many calls are asked again, beside the bound of its target. `node test/bench/elsewhere.mjs [KILLS [BOUND]]`,
// after `npm run build`; the bound that a target has by itself where none is named. A figure to read, not a test:
// test/e2e/elsewhere.test.ts is one.
import { rm } from 'node:fs/promises';
import { startHub } from '../e2e/early-stop.ts';
import { moved, writeBound } from '../e2e/elsewhere.ts';
import { startProvider, writeFeedback } from '../e2e/feedback.ts';
import { newPlace } from '../rig/zephyr.ts';

/** what the recipe takes */
const CALLS = 112;
/** as many may be under way when one comes */
const MARGIN = 24;

const kills = Number(process.argv[2] ?? 50);
const bound = Number(process.argv[3] ?? 2000);
const target = await writeBound(bound);
const recipe = await writeFeedback({ teacher: { concurrency: 4 } });
const provider = await startProvider();
const place = await newPlace({ ZEPHYR_PRACTICE_URL: provider.url });
const hub = await startHub(place);
const again = [];
let answered = 0;
let [ended, said] = [0, 0];
try {
  for (let round = 0; round < kills; round += 1) {
    const after = 1 + Math.floor(Math.random() * (CALLS - MARGIN));
    const args = ['aif', recipe, '--on', target, '--set', `name=k${round}`];
    const run = await moved(place, hub.url, provider, args, after, 'SIGKILL');
    again.push(run.again);
    answered += run.before;
    if (run.ended.code === 0) ended += 1;
    if (/perhaps paid again/.test(run.ended.stderr)) said += 1;
  }
} finally {
  await hub.stop();
  await provider.stop();
  await rm(place.home, { recursive: true, force: true });
}
const most = Math.max(...again);
console.log(`kills ${kills}, resumed to the end ${ended}, told what may be paid again ${said}`);
console.log(`bound ${bound} calls; asked again: most ${most}, mean ${(again.reduce((a, b) => a + b, 0) / kills).toFixed(1)}`);
console.log(`answered before the kill: mean ${(answered / kills).toFixed(1)} of ${CALLS}`);
process.exitCode = most <= bound && ended === kills ? 0 : 1;
