/**
 * A pattern of a card's `data_files` as fsspec takes it, which `datasets` finds files with: `*` and `?` within one name,
 * `**` for any number of folders, `[ab]`, `[a-z]`, `[!a]` (filesystem_spec, `AbstractFileSystem.glob`). Undefined where
 * `**` is only a part of a name, which fsspec refuses.
 */
function globPattern(pattern: string): RegExp | undefined {
  const parts = pattern.split('/');
  if (parts.some((part) => part !== '**' && part.includes('**'))) return undefined;
  const last = parts.length - 1;
  const source = parts.map((part, index) => {
    if (part === '**') return index === last ? '.*' : '(?:.+/)?';
    const name = part === '*' ? '[^/]+' : part.replaceAll(NAME_TOKEN, tokenPattern);
    return index === last ? name : `${name}/`;
  });
  return new RegExp(`^${source.join('')}$`, 'su');
}

export function hasMagic(pattern: string): boolean {
  return /[*?[]/.test(pattern);
}

/** A set of letters, in which a bracket that comes first is a member, or one letter. */
const NAME_TOKEN = /\[(?:(?<not>!)|(?!!))(?<members>.[^\]]*)\]|./gsu;

function tokenPattern(token: string, ...matched: unknown[]): string {
  const { not, members } = matched.at(-1) as { readonly not?: string; readonly members?: string };
  if (members !== undefined) {
    const escaped = members.replaceAll(/[\\\]^&~|[(){}/]/g, '\\$&').replace(/^-|-$/g, '\\-');
    return `[${not === undefined ? '' : '^'}${escaped}]`;
  }
  if (token === '*') return '[^/]*';
  return token === '?' ? '[^/]' : token.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
}

/**
 * Files that a pattern finds among paths, in their order: hidden ones, and those below a folder such as `__pycache__`, only
 * where the pattern says so itself.
 */
export function matching(paths: readonly string[], pattern: string): string[] {
  const found = hasMagic(pattern) ? globPattern(pattern) : undefined;
  const own = marks(pattern);
  return paths.filter((path) => {
    if (!(found?.test(path) ?? path === pattern)) return false;
    const { hidden, special } = marks(path);
    return hidden === own.hidden && special === own.special;
  });
}

function marks(path: string): { readonly hidden: number; readonly special: number } {
  const parts = path.split('/');
  return {
    hidden: parts.filter((part) => part.startsWith('.') && !/^\.+$/.test(part)).length,
    special: parts.slice(0, -1).filter((part) => part.startsWith('__')).length,
  };
}
