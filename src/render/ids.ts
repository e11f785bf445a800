/** A reference, a run, a digest or a commit, whole or as short as it is printed. */
const ID = /hf:\/\/\S|\brun-[0-9a-z]{26}\b|@[0-9a-f]{7}\b|\b(?:[0-9a-f]{40}|[0-9a-f]{64})\b/;

/** Whether a text holds what is copied into a command: it is wrapped or moved where there is no room, never cut. */
export function holdsId(text: string): boolean {
  return ID.test(text);
}
