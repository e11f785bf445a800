import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { constants, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { sha256File } from '../base/sha256.ts';
import { temporaryPath } from '../store/durable.ts';
import { adoptLarge, hasLarge } from '../store/large-files.ts';
import { type Exchange, HttpError, sendJson, sendNothing } from './exchange.ts';
import { PART_BYTES } from './lfs-routes.ts';
import { checkedPermission, type Permission } from './signature.ts';

/** Takes the bytes of a large file at an address that `batch` gave out, and refuses them if their hash is not the promised one. */
export async function upload(exchange: Exchange): Promise<void> {
  const permission = checkedPermission(exchange.secret, exchange.query, Date.now() / 1000);
  const isPut = exchange.request.method === 'PUT';
  if (permission === undefined || isPut === (permission.kind === 'complete'))
    throw new HttpError(403, 'This upload address is not valid any more');
  if (permission.kind === 'whole') await receiveWhole(exchange, permission);
  else if (permission.kind === 'part') await receivePart(exchange, permission);
  else await complete(exchange, permission);
}

async function* counted(body: AsyncIterable<Buffer>, most: number, each: (piece: Buffer) => void): AsyncGenerator<Buffer> {
  let length = 0;
  for await (const piece of body) {
    length += piece.length;
    if (length > most) throw new HttpError(400, `Expected ${most} bytes, more came`);
    each(piece);
    yield piece;
  }
  if (length < most) throw new HttpError(400, `Expected ${most} bytes, ${length} came`);
}

async function receiveWhole(exchange: Exchange, { sha256, size }: Permission): Promise<void> {
  const temporary = temporaryPath(exchange.store);
  const hash = createHash('sha256');
  try {
    const body = counted(exchange.request, size, (piece) => hash.update(piece));
    await pipeline(body, createWriteStream(temporary, { flags: 'wx', highWaterMark: 1 << 20 }));
    const actual = hash.digest('hex');
    if (actual !== sha256) throw new HttpError(400, `Expected sha256 ${sha256}, these bytes have ${actual}`);
    await adoptLarge(exchange.store, temporary, sha256);
  } finally {
    await rm(temporary, { force: true });
  }
  sendNothing(exchange, 200, { ETag: `"${sha256}"`, 'Content-Length': '0' });
}

function partsFile({ store }: Exchange, { upload: name }: Permission): string {
  return join(store.root, 'tmp', name);
}

/** Parts come in any order, several at once: each is written where it belongs, and nothing is joined afterwards. */
async function receivePart(exchange: Exchange, permission: Permission): Promise<void> {
  const start = (permission.part - 1) * PART_BYTES;
  const length = Math.min(PART_BYTES, permission.size - start);
  const path = partsFile(exchange, permission);
  await (await open(path, constants.O_RDWR | constants.O_CREAT)).close();
  await pipeline(
    counted(exchange.request, length, () => {}),
    createWriteStream(path, { flags: 'r+', start, highWaterMark: 1 << 20 }),
  );
  sendNothing(exchange, 200, { ETag: `"${permission.upload}-${permission.part}"`, 'Content-Length': '0' });
}

async function complete(exchange: Exchange, permission: Permission): Promise<void> {
  const { sha256, size } = permission;
  const temporary = partsFile(exchange, permission);
  // the client asks again because it lost the first answer
  if (!(await hasLarge(exchange.store, permission))) {
    const found = await stat(temporary).catch(() => undefined);
    if (found?.size !== size) throw new HttpError(400, `Expected parts of ${size} bytes, ${found?.size ?? 0} came`);
    const actual = await sha256File(temporary);
    if (actual !== sha256) {
      await rm(temporary, { force: true });
      throw new HttpError(400, `Expected sha256 ${sha256}, these parts have ${actual}`);
    }
    await adoptLarge(exchange.store, temporary, sha256);
  }
  await rm(temporary, { force: true });
  sendJson(exchange, 200, { success: true });
}
