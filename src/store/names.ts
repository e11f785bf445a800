import { repoName } from '../model/artifact.ts';
import { isRunId, parseJobBranch } from '../model/branches.ts';

const MAX_PATH_BYTES = 1024;
const MAX_PART_BYTES = 255;

/** Whether a path may stand in a commit: relative, no `.` or `..` part, no `.git`, no control character. */
export function isFilePath(path: string): boolean {
  if (path === '' || Buffer.byteLength(path) > MAX_PATH_BYTES || hasControl(path) || path.includes('\\')) return false;
  return path.split('/').every((part) => isPart(part) && part.toLowerCase() !== '.git');
}

function isPart(part: string): boolean {
  return part !== '' && part !== '.' && part !== '..' && Buffer.byteLength(part) <= MAX_PART_BYTES;
}

function hasControl(text: string): boolean {
  return [...text].some((char) => char < ' ' || char === '\u007f');
}

/**
 * Whether a branch or a tag may have this name: git-check-ref-format(1), and nothing that could be read as a commit, as
 * `HEAD` or as another kind of reference.
 */
export function isRefName(name: string): boolean {
  if (!isFilePath(name) || /[\s~^:?*[]|\.\.|@\{|\.$/.test(name) || name === '@' || name === 'HEAD') return false;
  if (/^[0-9a-f]{40}$/.test(name) || name.startsWith('refs/')) return false;
  return name.split('/').every((part) => !part.startsWith('.') && !part.startsWith('-') && !part.endsWith('.lock'));
}

/** The branch of what identifies runs, which began at what main was then. */
const KEY = /^key-[0-9a-f]{32}$/;

/**
 * Whether a branch holds what its newest commit holds and no more: that of a run, whose history is the log of the run, where
 * what it has dropped (checkpoints) is dropped, that of one of its jobs, and that of what identifies runs.
 */
export function isRunBranch(name: string): boolean {
  return isRunId(name) || KEY.test(name) || parseJobBranch(name) !== undefined;
}

/** The tag of what was pulled from another Hub, where it is this commit: ids are not the same on two Hubs. */
export function pulledTag(commit: string): string {
  return `from-${commit}`;
}

export function isRepoName(name: string): boolean {
  return repoName.safeParse(name).success && !name.split('/').some((part) => /\.(git|ipynb)$|\.$/.test(part));
}
