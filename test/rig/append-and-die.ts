/** A process that dies: appends COUNT records to the log in FOLDER, one a turn and waiting for none but the first, and kills itself. */
import { setImmediate as turn } from 'node:timers/promises';
import { openCallLog } from '../../src/calls/call-log.ts';
import { doneRecord } from './call-records.ts';

const [folder, count] = process.argv.slice(2) as [string, string];
const log = await openCallLog(folder, { limits: { segmentBytes: 2000, reserveBytes: 10 } });
await log.append(doneRecord(0));
for (let n = 1; n < Number(count); n += 1) {
  log.append(doneRecord(n)).catch(() => undefined);
  await turn();
}
process.kill(process.pid, 'SIGKILL');
