import { authorization, type HubRequest, type Remote, refusal, tryOnce } from './hub-request.ts';
import type { FileRange, PartFile } from './part-file.ts';
import { AwayError } from './retry-policy.ts';

/** Milliseconds without a byte after which a connection is given up and the rest asked for over another. */
const LIMIT = { ms: 60_000, isTransfer: true };

/** A file to fetch, and where its bytes go. */
export interface Download {
  readonly address: string;
  readonly action: string;
  readonly part: PartFile;
  /** Has caches on the way ask the server again. */
  readonly isFresh: boolean;
  readonly isNoEntry: (response: Response) => boolean;
  /** Called with the bytes that came; negative where what was there has to come once more. */
  readonly moved: (bytes: number) => void;
}

/**
 * Brings one range of a file. A connection that breaks goes on where it broke (RFC 9110, section 14), also from what another
 * process left; where the server cannot, the range begins anew. The bytes are not compared with anything: more may come than
 * was expected, or fewer. `false` where the Hub has no such file. Of a file in several ranges a server that knows none of them
 * leaves the part as it is, and `isSplittable` is false from then on.
 */
export async function fetchRange(
  remote: Remote,
  what: Download,
  range: FileRange,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  let furthest = 0;
  const attempt = async (): Promise<boolean> => {
    const before = range.done;
    if (before > 0 && before === range.end - range.start) return true;
    try {
      return await tryOnce(remote, requestFor(remote, what, range, signal), async (response, alive) => {
        if (what.isNoEntry(response)) return false;
        if (response.status === 416) return await endsThere(what, range, response);
        if (!response.ok) throw await refusal(remote, what.action, response);
        if (await begins(what, range, response)) await receive(what, range, response, alive);
        return true;
      });
    } catch (error) {
      if (!(error instanceof AwayError)) throw error;
      // bytes that come a second time after a restart are no progress
      const advanced = range.done > Math.max(before, furthest);
      furthest = Math.max(furthest, range.done);
      throw advanced ? new AwayError(error.why, error.kind, { ...error, advanced, cause: error }) : error;
    }
  };
  return await remote.retries.insist(attempt, { signal });
}

function requestFor(remote: Remote, what: Download, range: FileRange, signal: AbortSignal | undefined): HubRequest {
  const { part } = what;
  const from = range.start + range.done;
  const isSplit = part.ranges.length > 1;
  const headers: Record<string, string> = {
    ...authorization(remote),
    // a range of a compressed body would not be a range of the file
    'Accept-Encoding': 'identity',
    ...(isSplit ? { Range: `bytes=${from}-${range.end - 1}` } : from > 0 ? { Range: `bytes=${from}-` } : {}),
    ...((isSplit || from > 0) && part.tag !== undefined ? { 'If-Range': part.tag } : {}),
    ...(what.isFresh ? { 'Cache-Control': 'no-cache' } : {}),
  };
  return { address: what.address, init: { headers }, limit: LIMIT, signal };
}

/** Whether the bytes of the answer are those of the range from where it ends by now; a range begins anew for others. */
async function begins({ part, moved }: Download, range: FileRange, response: Response): Promise<boolean> {
  const from = range.start + range.done;
  const isPacked = response.headers.has('Content-Encoding');
  const isRest = response.status === 206 && startOf(response) === from && !isPacked;
  if (part.ranges.length > 1 && !isRest) {
    part.isSplittable = false;
    await response.body?.cancel();
    return false;
  }
  if (from > 0 && response.status === 206 && !isRest) {
    await response.body?.cancel();
    moved(-(await part.restart(range)));
    throw new AwayError('a range that was not asked for', 'answer');
  }
  if (!isRest && from > 0) moved(-(await part.restart(range)));
  const tag = response.headers.get('ETag');
  part.tag = tag === null || tag.startsWith('W/') || isPacked ? undefined : tag;
  return true;
}

async function receive({ part, moved }: Download, range: FileRange, response: Response, alive: () => void): Promise<void> {
  const length = range.end - range.start;
  const isSplit = part.ranges.length > 1;
  for await (const piece of response.body ?? []) {
    alive();
    // behind a range lies the next one; behind a file one byte more shows a server that sends more than its listing says
    const own = isSplit ? piece.subarray(0, length - range.done) : piece;
    await part.write(range, own);
    moved(own.length);
    if (range.done >= length + (isSplit ? 0 : 1)) return;
  }
  if (range.done < length) throw new AwayError('connection lost', 'no-answer');
}

function startOf({ headers }: Response): number | undefined {
  const start = /^bytes (\d+)-/.exec(headers.get('Content-Range') ?? '')?.[1];
  return start === undefined ? undefined : Number(start);
}

/** 416: the server's file ends before the range. One that ends just where ours does is all that there is. */
async function endsThere({ part, moved }: Download, range: FileRange, response: Response): Promise<boolean> {
  const total = /^bytes \*\/(\d+)$/.exec(response.headers.get('Content-Range') ?? '')?.[1];
  await response.body?.cancel();
  if (Number(total) === range.start + range.done) return true;
  moved(-(await part.restart(range)));
  throw new AwayError('a range that it does not have', 'answer');
}
