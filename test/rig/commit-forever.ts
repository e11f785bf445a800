// A process to be killed: commits to the store of argv[2] without end, and says on stdout which commit is done.
import { commit } from '../../src/store/commit.ts';
import { createRepo } from '../../src/store/repos.ts';
import { openStore } from '../../src/store/store.ts';

const store = await openStore(process.argv[2] ?? '');
const repo = { type: 'model' as const, name: 'org/m' };
await createRepo(store, repo);
for (let i = 0; ; i += 1) {
  const add = [
    { path: `n/${i % 7}.txt`, content: `${process.pid} ${i}` },
    { path: 'w.npz', content: Buffer.alloc(200_000, `${process.pid} ${i}`) },
  ];
  const outcome = await commit(store, { repo, branch: 'main', message: `Commit ${i}`, add });
  if (!outcome.ok) throw new Error(outcome.reason);
  process.stdout.write(`${outcome.commit}\n`);
}
