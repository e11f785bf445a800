import { readHead } from './record.ts';
import { findSegments, scanLines } from './segment-files.ts';

/** A call as a batch has it. */
export interface SentCall {
  readonly key: string;
  readonly attempt: number;
  /** estimated dollars */
  readonly est: number | null;
}

/**
 * What a call is named in the file of a batch: the first 48 hex digits of its key and the attempt. A server may not take
 * more than 64 characters.
 */
export function customIdOf(key: string, attempt: number): string {
  return `${key.slice(0, 48)}-${attempt}`;
}

/**
 * The calls of batches whose process is gone, by custom id, which is all that a batch's answers are named by: answers
 * that no session asks for again are paid too. Reads the logs once.
 */
export async function sentCalls(
  folders: readonly string[],
  batches: ReadonlySet<string>,
): Promise<Map<string, Map<string, SentCall>>> {
  const found = new Map([...batches].map((sha) => [sha, new Map<string, SentCall>()]));
  if (batches.size === 0) return found;
  for (const folder of folders) {
    for (const path of (await findSegments(folder)).paths) {
      await scanLines(path, (line) => {
        const head = readHead(line);
        if (head?.t !== 'intent' || head.b === undefined) return;
        found.get(head.b)?.set(customIdOf(head.k, head.a), { key: head.k, attempt: head.a, est: head.est });
      });
    }
  }
  return found;
}
