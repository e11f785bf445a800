import { isAbsolute } from 'node:path';

/** What a command's exit status says; frozen, see the README. */
export const EXIT = {
  done: 0,
  bug: 1,
  usage: 2,
  preflight: 3,
  cancelled: 4,
  jobFailed: 5,
  conflict: 6,
  running: 7,
  planChanged: 10,
  temporary: 75,
  detached: 130,
} as const;

export type ExitName = keyof typeof EXIT;

/**
 * A mistake or a circumstance that the user can act on: one line that says what was done, the value and what was
 * expected, and a hint on its own line. Everything else that is thrown is a bug and keeps its stack.
 */
export class ZephyrError extends Error {
  readonly exit: ExitName;
  readonly hint: string | undefined;

  constructor(message: string, options: { exit?: ExitName; hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ZephyrError';
    this.exit = options.exit ?? 'usage';
    this.hint = options.hint;
  }
}

const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && FULL.has((error as NodeJS.ErrnoException).code ?? '');
}

/**
 * A full disk, wherever among an error's causes it was met, as what it is: temporary, since the same command goes on once
 * there is space. `action` completes "Cannot". Undefined for every other error.
 */
export function diskFull(thrown: unknown, action: string): ZephyrError | undefined {
  for (let cause = thrown; cause instanceof Error; cause = cause.cause) {
    if (!isDiskFull(cause)) continue;
    const { path, dest } = cause as NodeJS.ErrnoException & { readonly dest?: string };
    const where = dest ?? path;
    return new ZephyrError(`Cannot ${action}: no space left on the disk${where === undefined ? '' : ` of "${where}"`}`, {
      exit: 'temporary',
      hint: 'nothing half-written was published; free some space and run the command again',
      cause: thrown,
    });
  }
  return undefined;
}

const UNUSABLE: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of the path is no folder',
  ELOOP: 'its links lead in a circle',
  EIO: 'the disk fails to read or write',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
};

/** Why a folder could not be made. */
const UNMADE: Readonly<Record<string, string>> = {
  ENOENT: 'the file system takes no folders',
  EEXIST: 'a file is in the way',
};

/**
 * A folder or a file that cannot be used, wherever among an error's causes it was met, as the circumstance that it is.
 * `action` completes "Cannot". Undefined for every other error.
 */
function unusablePath(thrown: unknown, action: string): ZephyrError | undefined {
  for (let cause = thrown; cause instanceof Error; cause = cause.cause) {
    const { code = '', syscall, path, dest } = cause as NodeJS.ErrnoException & { readonly dest?: string };
    const why = UNUSABLE[code] ?? (syscall === 'mkdir' ? UNMADE[code] : undefined);
    if (cause instanceof ZephyrError || why === undefined || path === undefined) continue;
    const others = 'ZEPHYR_HOME names another folder for the Hub and for jobs, XDG_CACHE_HOME for Python environments';
    return new ZephyrError(`Cannot ${action}: ${why} at "${dest ?? path}"`, {
      exit: 'preflight',
      hint: isAbsolute(path)
        ? `look who owns it and whether its disk is mounted for writing; ${others}`
        : 'go to another folder, or look who owns it and whether its disk is mounted for writing',
      cause: thrown,
    });
  }
  return undefined;
}

/** What the folder that the command was called in is wanted for and that somebody deleted meanwhile; undefined for every other error. */
function lostFolder(thrown: unknown, action: string): ZephyrError | undefined {
  const { code, path } = thrown instanceof Error ? (thrown as NodeJS.ErrnoException) : {};
  if (code !== 'ENOENT' || (path !== undefined && isAbsolute(path))) return undefined;
  try {
    process.cwd();
    return undefined;
  } catch {
    return new ZephyrError(`Cannot ${action}: the folder that the command was called in is gone`, {
      exit: 'preflight',
      hint: 'go to a folder that is there, and run it again',
      cause: thrown,
    });
  }
}

/** A disk that is full or a path that cannot be used, told as what it is; undefined for every other error. */
export function diskFault(thrown: unknown, action: string): ZephyrError | undefined {
  if (thrown instanceof ZephyrError) return diskFull(thrown, action);
  return diskFull(thrown, action) ?? lostFolder(thrown, action) ?? unusablePath(thrown, action);
}

/** For a hint: a word of a command as a POSIX shell reads it: quoted where it holds more than the characters that no shell takes apart. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
