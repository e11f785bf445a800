/** One line of a `.gitignore`: gitignore(5). */
interface Pattern {
  readonly matches: RegExp;
  readonly ofFolders: boolean;
  readonly takesBack: boolean;
}

/** Whether a `.gitignore` at the top of a repo leaves a file out: of the lines that match it the last one says so. */
export function ignoredBy(text: string): (path: string) => boolean {
  const patterns = text.split(/\r?\n/).flatMap((line) => patternOf(line) ?? []);
  const says = (path: string, isFolder: boolean): boolean => {
    const last = patterns.findLast(({ matches, ofFolders }) => (isFolder || !ofFolders) && matches.test(path));
    return last !== undefined && !last.takesBack;
  };
  return (path) => {
    const parts = path.split('/');
    // git does not look into a folder that is left out, so no later line can bring back a file of it
    return parts.some((_, i) => says(parts.slice(0, i + 1).join('/'), i < parts.length - 1));
  };
}

/** Whether a `.gitattributes` at the top of a repo keeps a file with Git LFS: gitattributes(5). */
export function largeBy(text: string): (path: string) => boolean {
  const rules = text.split(/\r?\n/).flatMap((line) => {
    const [glob = '', ...attributes] = line.trim().split(/\s+/);
    const filter = attributes.findLast((attribute) => /^[-!]?filter\b/.test(attribute));
    if (glob === '' || glob.startsWith('#') || filter === undefined) return [];
    return [{ matches: globOf(glob), isLarge: filter === 'filter=lfs' }];
  });
  return (path) => rules.findLast(({ matches }) => matches.test(path))?.isLarge ?? false;
}

function patternOf(line: string): Pattern | undefined {
  const text = line.replace(/(?<!\\)\s+$/, '');
  if (text === '' || text.startsWith('#')) return undefined;
  const takesBack = text.startsWith('!');
  const glob = takesBack ? text.slice(1) : text;
  return { matches: globOf(glob.replace(/\/$/, '')), ofFolders: glob.endsWith('/'), takesBack };
}

/** A glob with a slash is meant from the top, one without at any depth. */
function globOf(glob: string): RegExp {
  const isFromTop = glob.includes('/');
  return new RegExp(`^${isFromTop ? '' : '(?:.*/)?'}${source(glob.replace(/^\//, ''))}$`, 's');
}

function source(glob: string): string {
  let made = '';
  for (let at = 0; at < glob.length; ) {
    const [whole, part] = partAt(glob, at);
    made += part;
    at += whole.length;
  }
  return made;
}

/** What stands at this place of a glob, and the source of the regular expression for it. */
function partAt(glob: string, at: number): [whole: string, part: string] {
  const rest = glob.slice(at);
  const isPartStart = at === 0 || glob[at - 1] === '/';
  if (isPartStart && rest.startsWith('**/')) return ['**/', '(?:.*/)?'];
  if (isPartStart && rest === '**') return ['**', '.+'];
  const stars = /^\*+/.exec(rest)?.[0];
  if (stars !== undefined) return [stars, '[^/]*'];
  if (rest.startsWith('?')) return ['?', '[^/]'];
  const set = /^\[([!^]?)(\]?[^\]]*)\]/.exec(rest);
  if (set !== null) return [set[0], `[${set[1] === '' ? '' : '^'}${(set[2] ?? '').replaceAll(/[\\\]]/g, '\\$&')}]`];
  const char = rest.startsWith('\\') && rest.length > 1 ? rest.slice(0, 2) : rest.slice(0, 1);
  return [char, char.slice(-1).replace(/[.*+?^${}()|[\]\\/]/, '\\$&')];
}
