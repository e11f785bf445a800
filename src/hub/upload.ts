import { ZephyrError } from '../errors.ts';
import type { RepoId } from '../model/artifact.ts';
import { type Remote, refusal, SLOW_EXCHANGE, saidIn, send, TRANSFER, withoutSecrets } from './hub-request.ts';
import { type Meter, runBounded } from './transfer.ts';
import { actionOf, askWays, type LargeFile, partsOf, type UploadPlan } from './upload-plan.ts';
import type { UploadRecord } from './upload-record.ts';

/** Times that addresses are asked for: a file that takes longer than they live goes on with new ones. */
const MOST_ADDRESSES = 3;
/** Answers of a store to a signed address that has expired, or whose upload is gone. */
const EXPIRED: ReadonlySet<number> = new Set([400, 401, 403, 404, 410]);

/** A signed address of an upload that was refused: it has expired, or what it leads to is gone. A new one may be asked for. */
class AddressError extends Error {
  readonly status: number;
  readonly said: string | undefined;

  constructor(status: number, said: string | undefined) {
    super(`status ${status}`);
    this.status = status;
    this.said = said;
  }
}

/**
 * Sends the large files of a plan, several of them and several of their parts at once: the commit that follows finds them
 * all there. A record keeps the parts that are there for the call that goes on when this one ends early.
 */
export async function uploadLarge(remote: Remote, plan: UploadPlan, meter: Meter, signal?: AbortSignal): Promise<void> {
  const { repo } = plan;
  let files = plan.large;
  for (let asked = 1; ; asked += 1) {
    const uploads = files.filter(({ way }) => way.kind !== 'held').map((file) => new FileUpload(remote, repo, file, meter));
    await runBounded(
      uploads.flatMap((upload) => upload.jobs()),
      signal,
    );
    const refused = uploads.filter(({ refusal: error }) => error !== undefined);
    if (refused.length === 0) return;
    for (const upload of refused) await upload.forget();
    const { file, refusal: last } = refused[0] as FileUpload;
    if (asked === MOST_ADDRESSES) {
      const said = withoutSecrets(last?.said ?? 'nothing');
      throw new ZephyrError(
        `Cannot ${actionOf(repo, [file])}, its upload addresses were refused ${asked} times, at last with ${last?.status}: ${said}`,
        { exit: 'temporary', hint: 'run the command again; files that are there whole are not sent again', cause: last },
      );
    }
    files = await askWays(
      remote,
      repo,
      refused.map((upload) => upload.file),
      signal,
    );
  }
}

/** One large file on its way to a remote Hub. */
class FileUpload {
  readonly file: LargeFile;
  /** The refusal of one of its addresses, after which the upload needs new ones. */
  refusal: AddressError | undefined;
  readonly #remote: Remote;
  readonly #repo: RepoId;
  readonly #meter: Meter;
  #open = 0;

  constructor(remote: Remote, repo: RepoId, file: LargeFile, meter: Meter) {
    [this.#remote, this.#repo, this.file, this.#meter] = [remote, repo, file, meter];
  }

  /** The requests of this upload, which may run in any order. */
  jobs(): ((signal: AbortSignal) => Promise<void>)[] {
    const { way, blob } = this.file;
    if (way.kind === 'held') return [];
    const { href } = way.kind === 'whole' ? way : way.record;
    if (way.kind === 'whole') return [this.#job((signal) => this.#send(href, { body: blob, headers: way.header }, signal))];
    const open = partsOf(blob, way.record).filter(({ number }) => way.record.done[number] === undefined);
    this.#open = open.length;
    const complete = this.#job((signal) => this.#complete(way.record, signal));
    // an earlier process sent every part and did not get to complete the file
    if (open.length === 0) return [complete];
    return open.map((part) => async (signal) => {
      await this.#job((stop) => this.#sendPart(way.record, part, stop))(signal);
      this.#open -= 1;
      if (this.#open === 0) await complete(signal);
    });
  }

  /** Deletes the record of an upload that cannot go on. */
  async forget(): Promise<void> {
    const { way, blob, path, records } = this.file;
    await records.forget();
    if (way.kind !== 'parts') return;
    for (const { number, size } of partsOf(blob, way.record))
      if (way.record.done[number] !== undefined) this.#meter.moved(path, -size);
  }

  /** Once an address has expired, those given out with it are not tried any more. */
  #job(work: (signal: AbortSignal) => Promise<unknown>): (signal: AbortSignal) => Promise<void> {
    return async (signal) => {
      if (this.refusal !== undefined) return;
      await work(signal).catch((error: unknown) => {
        if (!(error instanceof AddressError)) throw error;
        this.refusal = error;
      });
    };
  }

  async #sendPart(record: UploadRecord, part: ReturnType<typeof partsOf>[number], signal: AbortSignal): Promise<void> {
    const { number, start, size } = part;
    const sent = await this.#send(record.parts[number] as string, { body: this.file.blob.slice(start, start + size) }, signal);
    record.done[number] = sent.headers.get('ETag') ?? '';
    await this.file.records.write(record);
  }

  async #complete({ oid, done, href }: UploadRecord, signal: AbortSignal): Promise<void> {
    const parts = Object.entries(done).map(([number, etag]) => ({ partNumber: Number(number), etag }));
    const body = JSON.stringify({ oid, parts: parts.sort((a, b) => a.partNumber - b.partNumber) });
    await this.#send(href, { method: 'POST', headers: { 'Content-Type': 'application/vnd.git-lfs+json' }, body }, signal);
    await this.file.records.forget();
  }

  /** The addresses are signed: they go without the token. */
  async #send(address: string, init: RequestInit, signal: AbortSignal): Promise<Response> {
    const action = actionOf(this.#repo, [this.file]);
    let moved = 0;
    const count = (bytes: number): void => {
      moved += bytes;
      this.#meter.moved(this.file.path, bytes);
    };
    const limit = init.method === 'POST' ? SLOW_EXCHANGE : TRANSFER;
    const sent = await send(this.#remote, action, { address, init: { method: 'PUT', ...init }, limit, signal, sent: count });
    if (!sent.ok) count(-moved);
    if (EXPIRED.has(sent.status)) throw new AddressError(sent.status, saidIn(await sent.text()));
    if (!sent.ok) throw await refusal(this.#remote, action, sent);
    return sent;
  }
}
