/** A process to be killed: asks `COUNT` questions by the batch at `URL` with the journal `FOLDER`. Prints what came of it. */
import { askAll, batchTeacher, calls } from './batching.ts';

const [url, journal, count] = process.argv.slice(2) as [string, string, string];
const teacher = batchTeacher(url, {}, 300);
const { texts, summary } = await askAll({ journal, teacher: () => Promise.resolve([teacher]) }, calls(Number(count)));
process.stdout.write(JSON.stringify({ texts, summary }));
