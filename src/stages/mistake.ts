export type Path = readonly PropertyKey[];

/** One thing that is wrong with a recipe or a target. `part` says whether the key or the value is to blame. */
export interface Mistake {
  readonly path: Path;
  readonly part: 'key' | 'value';
  readonly message: string;
}

/** A value that is wrong: `message` stands behind its path. */
export function mistakeAt(path: Path, message: string): Mistake {
  return { path, part: 'value', message: `${path.join('.')}: ${message}` };
}
