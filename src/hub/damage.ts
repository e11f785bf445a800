import { ZephyrError } from '../errors.ts';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';

const HINT = 'The copy on the Hub is damaged: publish the artifact again, or name another one';

/** Whether an error says that a copy on the Hub is damaged, and not that the Hub cannot be asked. */
export function isDamage(error: unknown): boolean {
  return error instanceof ZephyrError && error.hint === HINT;
}

/** A file whose bytes are not those that the commit records. */
export function differs(ref: ArtifactRef, path: string, expected: string, actual: string): ZephyrError {
  return new ZephyrError(`Cannot use "${formatRef(ref)}", file "${path}" has ${actual}, expected ${expected}`, {
    exit: 'preflight',
    hint: HINT,
  });
}

export function isBroken(ref: ArtifactRef, path: string, fault: string): ZephyrError {
  return new ZephyrError(`Cannot use "${formatRef(ref)}", file "${path}" is not a whole safetensors file: ${fault}`, {
    exit: 'preflight',
    hint: HINT,
  });
}

export function noCommit(ref: ArtifactRef): ZephyrError {
  return new ZephyrError(`Cannot find "${formatRef(ref)}"`, {
    exit: 'preflight',
    hint: 'Look whether the repo was deleted, renamed or squashed, and whether the token may read it',
  });
}
