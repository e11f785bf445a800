import type { RepoId } from '../../src/model/artifact.ts';

/** The fields of a run that does nothing in particular. */
export function newRun(name: string, target: unknown = {}) {
  return {
    stage: 'dsft',
    repo: { type: 'model', name } satisfies RepoId as RepoId,
    goal: ['dsft'],
    recipe: {},
    target,
    stageInputs: {},
    pins: {},
    key: '0'.repeat(64),
    keyRecord: null,
  };
}
