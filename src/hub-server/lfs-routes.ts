import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import { sha256Hex } from '../model/artifact.ts';
import { hasLarge } from '../store/large-files.ts';
import { want } from '../store/wanted.ts';
import { readJson } from './body.ts';
import { type Exchange, HttpError, sendJson } from './exchange.ts';
import { type Permission, signedQuery } from './signature.ts';

/** Bytes of a part. A larger file comes in parts, since the JavaScript client holds in memory what it sends at once. */
export const PART_BYTES = 64 << 20;

const EXPIRES_S = 24 * 3600;
const LFS_JSON = { 'Content-Type': 'application/vnd.git-lfs+json' };

const object = z.object({ oid: sha256Hex, size: z.int().nonnegative() });

/** github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md, with the Hub's own `multipart` transfer. Xet is never offered. */
export async function batch(exchange: Exchange): Promise<void> {
  const shape = z.object({ operation: z.string(), transfers: z.array(z.string()).optional(), objects: z.array(object) });
  const { operation, transfers, objects } = await readJson(exchange, shape);
  if (operation !== 'upload') throw new HttpError(501, `This Hub has no LFS ${operation}, read files by their address`);
  const inParts = transfers?.includes('multipart') ?? false;
  const answers = await Promise.all(
    objects.map(async ({ oid, size }) => {
      // the client hears that the file is stored and relies on it until it commits, so no `prune` may delete it
      await want(exchange.store, oid);
      if (await hasLarge(exchange.store, { sha256: oid, size })) return { oid, size };
      return {
        oid,
        size,
        actions: {
          upload: uploadAction(exchange, oid, size, inParts),
          verify: { href: `${exchange.origin}${exchange.path.replace(/objects\/batch$/, 'verify')}` },
        },
      };
    }),
  );
  const anyParts = inParts && answers.some(({ size }) => size > PART_BYTES);
  sendJson(exchange, 200, { transfer: anyParts ? 'multipart' : 'basic', objects: answers }, LFS_JSON);
}

function uploadAction(
  { origin, secret }: Exchange,
  sha256: string,
  size: number,
  inParts: boolean,
): { href: string; header?: Record<string, string> } {
  const common = { sha256, size, upload: randomBytes(12).toString('hex'), expires: Math.floor(Date.now() / 1000) + EXPIRES_S };
  const address = (kind: Permission['kind'], part: number): string =>
    `${origin}/api/lfs?${signedQuery(secret, { ...common, kind, part })}`;
  if (!inParts || size <= PART_BYTES) return { href: address('whole', 0) };
  const header: Record<string, string> = { chunk_size: String(PART_BYTES) };
  for (let part = 1; part <= Math.ceil(size / PART_BYTES); part += 1)
    header[String(part).padStart(5, '0')] = address('part', part);
  return { href: address('complete', 0), header };
}

export async function verify(exchange: Exchange): Promise<void> {
  const { oid, size } = await readJson(exchange, object);
  if (!(await hasLarge(exchange.store, { sha256: oid, size }))) throw new HttpError(404, `Object ${oid} is not stored`);
  sendJson(exchange, 200, {}, LFS_JSON);
}
