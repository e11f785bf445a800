/**
 * A pattern of a card's `data_files` as fsspec takes it, which `datasets` finds files with: `*` and `?` within one name,
 * `**` for any number of folders, `[ab]`, `[a-z]`, `[!a]` (filesystem_spec, `AbstractFileSystem.glob`). Undefined where
 * `**` is only a part of a name, which fsspec refuses.
 */
export function globPattern(pattern: string): RegExp | undefined {
  const parts = pattern.split('/');
  let source = '';
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    if (part === '**') source += isLast ? '.*' : '(?:.+/)?';
    else if (part.includes('**')) return undefined;
    else if (part === '*') source += isLast ? '[^/]+' : '[^/]+/';
    else source += namePattern(part) + (isLast ? '' : '/');
  }
  return new RegExp(`^${source}$`, 'su');
}

export function hasMagic(pattern: string): boolean {
  return /[*?[]/.test(pattern);
}

function namePattern(part: string): string {
  let source = '';
  for (let at = 0; at < part.length; at += 1) {
    const letter = part[at] as string;
    if (letter === '*') source += '[^/]*';
    else if (letter === '?') source += '[^/]';
    else if (letter === '[') {
      // a bracket that comes first is a member of the set
      const end = part.indexOf(']', at + (part[at + 1] === '!' ? 3 : 2));
      if (end < 0) source += '\\[';
      else {
        const isOthers = part[at + 1] === '!';
        const members = part.slice(at + (isOthers ? 2 : 1), end).replaceAll(/[\\\]^&~|[(){}/]/g, '\\$&');
        source += `[${isOthers ? '^' : ''}${members.replace(/^-|-$/g, '\\-')}]`;
        at = end;
      }
    } else source += letter.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
  }
  return source;
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
