import { ZephyrError } from '../errors.ts';
import { type Mistake, mistakeAt, type Path } from '../stages/mistake.ts';
import type { Override } from './overrides.ts';
import type { YamlFile } from './yaml-file.ts';

/** Says what is wrong with a recipe or a target at the place where the value stands: in its file, or in what was set over it. */
export class Complaints {
  readonly yaml: YamlFile;
  readonly overrides: readonly Override[];

  constructor(yaml: YamlFile, overrides: readonly Override[] = []) {
    this.yaml = yaml;
    this.overrides = overrides;
  }

  /** Throws one `ZephyrError` (usage) for all mistakes, in the order of the file, where there are any. */
  refuse(mistakes: readonly Mistake[]): void {
    if (mistakes.length === 0) return;
    const found = mistakes.map((mistake) => this.#placed(mistake));
    found.sort((a, b) => (a.offset === b.offset ? 0 : a.offset - b.offset));
    throw new ZephyrError(found.map(({ line }) => line).join('\n'));
  }

  refuseAt(path: Path, message: string): never {
    throw new ZephyrError(this.#placed(mistakeAt(path, message)).line);
  }

  #placed({ path, part, message }: Mistake): { readonly offset: number; readonly line: string } {
    const override = this.overrides.findLast(
      (candidate) => startsWith(path, candidate.path) || (part === 'key' && startsWith(candidate.path, path)),
    );
    const offset = override === undefined ? this.yaml.offset(path, part) : Number.POSITIVE_INFINITY;
    return { offset, line: `${override?.origin ?? this.yaml.place(offset)}: ${message}` };
  }
}

function startsWith(path: Path, start: Path): boolean {
  return start.every((name, index) => String(path[index]) === String(name));
}
