/** A process to be killed: asks `COUNT` questions by the batch at `URL` with the call log `FOLDER`: URL FOLDER COUNT [CHARACTERS of each]. Prints what came of it. */
import { askAll, batchTeacher, calls } from './batching.ts';

const [url, callLog, count, characters = '0'] = process.argv.slice(2) as [string, string, string, string?];
const teacher = batchTeacher(url, {}, 300);
const list = calls(Number(count)).map((call) => ({
  ...call,
  messages: call.messages.map(({ role, content }) => ({ role, content: content.padEnd(Number(characters)) })),
}));
const { texts, summary } = await askAll({ callLog, teacher: () => Promise.resolve([teacher]) }, list);
process.stdout.write(JSON.stringify({ texts, summary }));
