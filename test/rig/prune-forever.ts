// A process to be killed: makes and deletes a repo in the store of argv[2] without end, and gives back its space.
import { commit } from '../../src/store/commit.ts';
import { prune } from '../../src/store/prune.ts';
import { reclaim } from '../../src/store/reclaim.ts';
import { createRepo, deleteRepo } from '../../src/store/repos.ts';
import { openStore } from '../../src/store/store.ts';

const store = await openStore(process.argv[2] ?? '');
const repo = { type: 'dataset' as const, name: `org/passing-${process.pid}` };
for (let i = 0; ; i += 1) {
  await createRepo(store, repo);
  // the very bytes that the other process commits, too
  const add = [0, 1, 2].map((more) => ({ path: `${more}.npz`, content: Buffer.alloc(1000, (i + more) % 10) }));
  const outcome = await commit(store, { repo, branch: 'main', message: `Commit ${i}`, add });
  if (!outcome.ok) throw new Error(outcome.reason);
  await deleteRepo(store, repo);
  await (i % 4 === 3 ? prune(store) : reclaim(store));
  process.stdout.write(`${i}\n`);
}
