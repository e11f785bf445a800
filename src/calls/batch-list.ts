import type { BatchRecord } from './record.ts';

/** A batch of calls that was sent as one file, or was about to be. */
export interface LoggedBatch {
  /** names it, and the file and its content with it: SHA-256 in hex digits */
  readonly sha: string;
  readonly teacher: string;
  /** calls in it, and the name of its file; unknown when the plan was lost */
  readonly keys: number | undefined;
  readonly file: string | undefined;
  /** the server's name for its file, if it was uploaded and that is known */
  readonly upload: string | undefined;
  /** the server's name for it; `undefined`: the log does not say whether the server has it */
  readonly id: string | undefined;
  /** All of its answers that there will ever be are in the log. */
  readonly ended: boolean;
  /** The server's last word about it, once it is `ended`. */
  readonly status: string | undefined;
}

interface KnownBatch {
  teacher: string;
  plan: { readonly keys: number; readonly file: string } | undefined;
  upload: string | undefined;
  id: string | undefined;
  openedAt: number;
  /** by id: a batch that failed as a whole may be created again from the same file */
  readonly ended: Map<string, string>;
}

/** The batches of a log; the records may come in any order. */
export class BatchList {
  readonly #known = new Map<string, KnownBatch>();

  learn(record: BatchRecord): void {
    const batch = this.#known.get(record.b) ?? {
      teacher: record.teacher,
      plan: undefined,
      upload: undefined,
      id: undefined,
      openedAt: Number.NEGATIVE_INFINITY,
      ended: new Map<string, string>(),
    };
    this.#known.set(record.b, batch);
    if (record.state === 'planned') batch.plan = { keys: record.keys, file: record.file };
    else if (record.state === 'uploaded') batch.upload = record.upload;
    else if (record.state === 'ended') batch.ended.set(record.id, record.status);
    // The record of the end names the id as well, in case the one in between was lost.
    if ('id' in record && record.at >= batch.openedAt && (record.state === 'open' || batch.id === undefined)) {
      batch.id = record.id;
      if (record.state === 'open') batch.openedAt = record.at;
    }
  }

  list(): LoggedBatch[] {
    return [...this.#known].map(([sha, { teacher, plan, upload, id, ended }]) => ({
      sha,
      teacher,
      keys: plan?.keys,
      file: plan?.file,
      upload,
      id,
      ended: id !== undefined && ended.has(id),
      status: id === undefined ? undefined : ended.get(id),
    }));
  }
}
