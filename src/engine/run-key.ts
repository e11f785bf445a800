import { setTimeout as sleep } from 'node:timers/promises';
import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { formatRepo, type RepoId } from '../model/artifact.ts';
import { KEY_FILE, type KeyClaim, keyBranch, keyClaim } from '../runs/key-claim.ts';
import { readRunIfReadable } from './read-run.ts';

/** What is on the branch of a key, and the run that it names, where that has been begun. */
export interface HeldKey {
  /** the commit that a claim is made on; none as long as the branch is not there */
  readonly head: string | undefined;
  readonly claim: KeyClaim | undefined;
  readonly run: Awaited<ReturnType<typeof readRunIfReadable>>;
}

export async function readKey(hub: Hub, repo: RepoId, key: string): Promise<HeldKey> {
  const head = await hub.resolve({ ...repo, revision: keyBranch(key) });
  const bytes = head === undefined ? undefined : await hub.read({ ...repo, commit: head }, KEY_FILE);
  if (bytes === undefined) return { head, claim: undefined, run: undefined };
  const { data: claim } = keyClaim.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  if (claim === undefined)
    throw new ZephyrError(
      `Cannot read ${KEY_FILE} on ${keyBranch(key)} of ${formatRepo(repo)}: it was written by another version of zephyr`,
      { exit: 'preflight' },
    );
  return { head, claim, run: await readRunIfReadable(hub, repo, claim.run) };
}

/** Puts a run under its key, on top of what was read there; `false` when another process was first. */
export async function claimKey(hub: Hub, repo: RepoId, held: HeldKey, claim: KeyClaim): Promise<boolean> {
  const branch = keyBranch(claim.key);
  const parent = held.head ?? (await openBranch(hub, repo, branch));
  if (parent === undefined) return false;
  const outcome = await hub.commit({
    repo,
    branch,
    parent,
    message: `zephyr: ${claim.run}`,
    add: [{ path: KEY_FILE, content: `${JSON.stringify(claim, null, 2)}\n` }],
    remove: 'all',
  });
  return outcome.ok;
}

async function openBranch(hub: Hub, repo: RepoId, branch: string): Promise<string | undefined> {
  const main = (await hub.refs(repo))?.branches.main;
  if (main === undefined)
    throw new ZephyrError(`Cannot open "${formatRepo(repo)}" on ${hub.name}: it has no branch main`, { exit: 'preflight' });
  return (await hub.createBranch(repo, branch, main)) === 'created' ? main : undefined;
}

/** Times that a key is read again which others write to at once. */
const TRIES = 8;
const FIRST_PAUSE_MS = 50;

/** Tries until there is an answer: `again` means that another process was first, or that what the Hub said lagged behind. */
export async function untilSettled<T>(repo: RepoId, attempt: () => Promise<T | 'again'>): Promise<T> {
  for (let tries = 1; tries <= TRIES; tries += 1) {
    const found = await attempt();
    if (found !== 'again') return found;
    await sleep(FIRST_PAUSE_MS * 2 ** tries * Math.random());
  }
  throw new ZephyrError(`Cannot begin a run of ${formatRepo(repo)}: others write to its key all the time`, {
    exit: 'temporary',
    hint: 'run the command again',
  });
}
