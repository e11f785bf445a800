import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import { differs } from './damage.ts';
import { hashesOf } from './hashes.ts';
import { authorization, explain, type Remote, refusal, tryOnce } from './hub-request.ts';

export function addressOf(remote: Remote, ref: ArtifactRef, path: string): string {
  const prefix = ref.type === 'model' ? '' : `${ref.type}s/`;
  const name = path.split('/').map(encodeURIComponent).join('/');
  return `${remote.url}/${prefix}${ref.name}/resolve/${ref.commit}/${name}`;
}

export function isNoEntry(response: Response): boolean {
  return response.status === 404 && response.headers.get('X-Error-Code') === 'EntryNotFound';
}

/** A small file's bytes, compared with the hash that the Hub names them by; `undefined` where there is no such file. */
export async function readRemote(remote: Remote, ref: ArtifactRef, path: string): Promise<Uint8Array | undefined> {
  const action = `read "${path}" of "${formatRef(ref)}"`;
  const init = { headers: { ...authorization(remote), 'Accept-Encoding': 'identity' } };
  const attempt = async (): Promise<Got | undefined> =>
    await tryOnce(remote, { address: addressOf(remote, ref, path), init }, async (response, alive) => {
      if (isNoEntry(response)) return undefined;
      if (!response.ok) throw await refusal(remote, action, response);
      const pieces: Uint8Array[] = [];
      for await (const piece of response.body ?? []) {
        alive();
        pieces.push(piece);
      }
      const bytes = Buffer.concat(pieces);
      return { bytes, wrong: await unlikeTag(bytes, response) };
    });
  const once = () => remote.retries.insist(attempt, { isExchange: true });
  try {
    // a proxy may have damaged the bytes on the way, so the file is asked for once more
    const first = await once();
    const got = first?.wrong === undefined ? first : await once();
    if (got?.wrong !== undefined) throw differs(ref, path, got.wrong.expected, got.wrong.actual);
    return got?.bytes;
  } catch (error) {
    throw explain(remote, action, error);
  }
}

interface Got {
  readonly bytes: Uint8Array;
  readonly wrong: { readonly expected: string; readonly actual: string } | undefined;
}

async function unlikeTag(bytes: Uint8Array, response: Response): Promise<Got['wrong']> {
  const etag = /^"([0-9a-f]{40}|[0-9a-f]{64})"$/.exec(response.headers.get('ETag') ?? '')?.[1];
  // only the Hub names files by their hash: the ETag of a store that it redirects to is another one
  if (etag === undefined || response.redirected) return undefined;
  const { git, sha256 } = await hashesOf([bytes], bytes.length);
  const actual = etag.length === 40 ? git : sha256;
  return actual === etag ? undefined : { expected: `hash ${etag}`, actual: `hash ${actual}` };
}
