/** `run-<ulid>`: the name of a run, and of the branch that holds its state. */
const RUN_ID = /^run-[0-9a-z]{26}$/;

export function isRunId(text: string): boolean {
  return RUN_ID.test(text);
}
