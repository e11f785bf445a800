import { randomBytes } from 'node:crypto';
import { createReadStream, existsSync, mkdtempSync, readFileSync, statSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { atomicWrite } from '../base/atomic-write.ts';
import { invalid, type Route, readBody, send, sendRefusal } from './exchange.ts';
import type { Faults } from './faults.ts';

export interface FileInfo {
  readonly id: string;
  readonly object: 'file';
  readonly bytes: number;
  /** seconds since 1970 */
  readonly created_at: number;
  readonly filename: string;
  readonly purpose: string;
}

/** Uploaded files and those that batches make. */
export interface Files {
  /** where they lie; made when it is needed */
  readonly folder: () => Promise<string>;
  readonly add: (filename: string, purpose: string, content: Uint8Array) => Promise<FileInfo>;
  readonly find: (id: string) => FileInfo | undefined;
  readonly read: (id: string) => Promise<string>;
  readonly pathOf: (id: string) => string;
  readonly remove: (id: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** OpenAI's limit for a batch file, and some for the form around it. */
const UPLOAD_LIMIT = 201e6;

/** Without a folder they are in one of their own and end with the server. */
export function openFiles(named: string | undefined): Files {
  let place = named;
  const pathOf = (id: string) => join(place ?? '', id);

  async function folder(): Promise<string> {
    place ??= mkdtempSync(join(tmpdir(), 'zephyr-practice-'));
    await mkdir(place, { recursive: true });
    return place;
  }

  return {
    folder,
    pathOf,
    async add(filename, purpose, content) {
      await folder();
      const id = `file-${randomBytes(12).toString('hex')}`;
      const info: FileInfo = {
        id,
        object: 'file',
        bytes: content.length,
        created_at: Math.floor(Date.now() / 1000),
        filename,
        purpose,
      };
      await writeFile(pathOf(id), content);
      await atomicWrite(`${pathOf(id)}.json`, JSON.stringify(info));
      return info;
    },
    find(id) {
      const path = `${pathOf(id)}.json`;
      if (place === undefined || !/^file-[0-9a-f]+$/.test(id) || !existsSync(path)) return undefined;
      return JSON.parse(readFileSync(path, 'utf8')) as FileInfo;
    },
    read: (id) => readFile(pathOf(id), 'utf8'),
    async remove(id) {
      await rm(`${pathOf(id)}.json`, { force: true });
      await rm(pathOf(id), { force: true });
    },
    async close() {
      if (named === undefined && place !== undefined) await rm(place, { recursive: true, force: true });
    },
  };
}

export function fileRoutes(files: Files, faults: Pick<Faults, 'download'>): readonly Route[] {
  const noFile = (id: string) => invalid(`No such File object: ${id}`, null, 404);
  return [
    {
      method: 'POST',
      path: /^\/files$/,
      handle: async ({ request, response }) => {
        const bytes = await readBody(request, UPLOAD_LIMIT);
        if (bytes === undefined) return sendRefusal(response, invalid('The file is too large', null, 413));
        const headers = { 'content-type': request.headers['content-type'] ?? '' };
        const form = await new Response(new Uint8Array(bytes), { headers }).formData().catch(() => undefined);
        const file = form?.get('file');
        const purpose = form?.get('purpose');
        if (file === null || file === undefined || typeof file === 'string' || typeof purpose !== 'string')
          return sendRefusal(response, invalid('Expected a form with "file" and "purpose"'));
        send(response, 200, await files.add(file.name, purpose, await file.bytes()));
      },
    },
    {
      method: 'GET',
      path: /^\/files\/([^/]+)$/,
      handle: ({ response }, id = '') => {
        const info = files.find(id);
        if (info === undefined) sendRefusal(response, noFile(id));
        else send(response, 200, info);
      },
    },
    {
      method: 'GET',
      path: /^\/files\/([^/]+)\/content$/,
      handle: async ({ response }, id = '') => {
        if (files.find(id) === undefined) return sendRefusal(response, noFile(id));
        const { size } = statSync(files.pathOf(id));
        const end = faults.download(size);
        response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size });
        const content = createReadStream(files.pathOf(id), end < size ? { end } : {});
        await pipeline(content, response, { end: end === size }).catch(() => undefined);
        if (end < size) response.destroy();
      },
    },
    {
      method: 'DELETE',
      path: /^\/files\/([^/]+)$/,
      handle: async ({ response }, id = '') => {
        if (files.find(id) === undefined) return sendRefusal(response, noFile(id));
        await files.remove(id);
        send(response, 200, { id, object: 'file', deleted: true });
      },
    },
  ];
}
