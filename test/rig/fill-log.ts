/** Writes records to the log in FOLDER until it says that the disk is full; prints how many it took. */
import { openCallLog } from '../../src/calls/call-log.ts';
import { doneRecord } from './call-records.ts';

const log = await openCallLog(process.argv[2] as string, { limits: { segmentBytes: 1 << 24, reserveBytes: 1024 } });
let written = 0;
while (!log.full && written < 5000) {
  const batch = Array.from({ length: 8 }, (_, n) => written + n);
  await Promise.all(batch.map((n) => log.append(doneRecord(n))));
  written += batch.length;
}
const { full } = log;
await log.close();
process.stdout.write(JSON.stringify({ written, full }));
