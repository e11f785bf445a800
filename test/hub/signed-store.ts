import { createHash, randomBytes } from 'node:crypto';
import { ingestBytes } from '../../src/store/large-files.ts';
import type { Store } from '../../src/store/store.ts';

const BATCH = /\.git\/info\/lfs\/objects\/batch$/;

export interface SignedStore {
  readonly fetch: typeof fetch;
  /** the parts that came, by number, in the order in which they came */
  readonly came: number[];
  /** how often addresses were asked for */
  readonly asked: () => number;
  /** Called before a part is taken; what it returns is answered in its place. */
  before: (part: number) => Response | undefined | Promise<Response | undefined>;
}

/** What lies behind the addresses of the real Hub: uploads in parts, each of them known by its upload alone, as in S3. */
export function signedStore(store: Store, parts: number): SignedStore {
  const uploads = new Map<string, Map<number, { etag: string; bytes: Buffer }>>();
  const held = new Set<string>();
  const came: number[] = [];
  let asked = 0;
  /** What is answered of a file: nothing to do where it is held, else the addresses of a new upload. */
  const begun = (object: { readonly oid: string; readonly size: number }): unknown => {
    if (held.has(object.oid)) return object;
    const upload = randomBytes(8).toString('hex');
    uploads.set(upload, new Map());
    const address = (part: number): string => `http://bucket.test/x?upload=${upload}&part=${part}&X-Amz-Signature=secretsecret`;
    const header: Record<string, string> = { chunk_size: String(Math.ceil(object.size / parts)) };
    for (let part = 1; part <= parts; part += 1) header[String(part).padStart(5, '0')] = address(part);
    return { ...object, actions: { upload: { href: address(0), header } } };
  };
  const self: SignedStore = {
    came,
    asked: () => asked,
    before: () => undefined,
    fetch: async (input, init) => {
      const url = new URL(String(input));
      const json = (value: unknown): Response =>
        new Response(JSON.stringify(value), { headers: { 'Content-Type': 'application/json' } });
      if (BATCH.test(url.pathname)) {
        const request = JSON.parse(String(init?.body)) as { transfers: string[]; objects: { oid: string; size: number }[] };
        if (request.objects.some(({ size }) => size < 2 ** 20)) return await fetch(input, init);
        asked += 1;
        return json({ transfer: 'multipart', objects: request.objects.map((object) => begun(object)) });
      }
      if (url.host !== 'bucket.test') return await fetch(input, init);
      const part = Number(url.searchParams.get('part'));
      const upload = uploads.get(url.searchParams.get('upload') ?? '');
      const instead = await self.before(part);
      if (instead !== undefined) return instead;
      if (upload === undefined)
        return new Response('<Error><Message>The upload does not exist</Message></Error>', { status: 404 });
      const bytes = Buffer.from(await new Response(init?.body as Blob).arrayBuffer());
      if (part > 0) {
        const etag = `"${createHash('md5').update(bytes).digest('hex')}"`;
        upload.set(part, { etag, bytes });
        came.push(part);
        return new Response(null, { headers: { ETag: etag } });
      }
      const given = (JSON.parse(bytes.toString()) as { parts: { partNumber: number; etag: string }[] }).parts;
      const isWhole = given.length === parts && given.every(({ partNumber, etag }) => upload.get(partNumber)?.etag === etag);
      if (!isWhole) return new Response('<Error><Message>One of the parts could not be found</Message></Error>', { status: 400 });
      const whole = Buffer.concat(given.map(({ partNumber }) => upload.get(partNumber)?.bytes ?? Buffer.of()));
      const { sha256 } = await ingestBytes(store, whole);
      held.add(sha256);
      return new Response(null);
    },
  };
  return self;
}
