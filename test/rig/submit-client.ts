import { join } from 'node:path';
import { followJob } from '../../src/backends/follow.ts';
import { BACKENDS, openBackend } from '../../src/backends/registry.ts';
import { openLocalHub } from '../../src/hub/local-hub.ts';
import { fakeQueue } from './fake-queue.ts';
import type { ClientOrder } from './job-rig.ts';

// A client as a process of its own, so that a test can kill it: submits, says the handle, follows.
const order = JSON.parse(process.argv[2] ?? '') as ClientOrder;
const { jobs } = order.place;
const place = { ...order.place, hub: await openLocalHub(join(jobs, '..', 'hub')) };
const backend = await openBackend(order, place, { ...BACKENDS, queue: fakeQueue });
const handle = await backend.scheduler.submit(order.request);
process.stdout.write(`${JSON.stringify(handle)}\n`);
if (process.argv[3] === 'follow') for await (const item of followJob(backend, handle)) if (item.type === 'ended') break;
