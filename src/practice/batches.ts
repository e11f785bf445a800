import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { atomicWrite } from '../base/atomic-write.ts';
import { type BatchObject, workOn } from './batch-work.ts';
import { invalid, type Route, readBody, send, sendRefusal } from './exchange.ts';
import type { Files } from './files.ts';
import type { PracticeState } from './state.ts';

export interface BatchStore {
  readonly create: (wanted: z.infer<typeof createBody>) => Promise<BatchObject>;
  readonly find: (id: string) => BatchObject | undefined;
  /** Oldest first. */
  readonly list: () => readonly BatchObject[];
  readonly cancel: (batch: BatchObject) => Promise<void>;
  /** Waits for the work at hand to stop. */
  readonly close: () => Promise<void>;
}

const createBody = z.looseObject({
  input_file_id: z.string(),
  endpoint: z.literal('/v1/chat/completions'),
  completion_window: z.literal('24h'),
  metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
});

const UNFINISHED: ReadonlySet<BatchObject['status']> = new Set(['validating', 'in_progress', 'finalizing', 'cancelling']);

/** Opens the batches in `folder`, where those of earlier servers lie: their work goes on. */
export function openBatches(state: PracticeState, files: Files, folder: string | undefined): BatchStore {
  const batches = new Map<string, BatchObject>();
  const tokens = new Map<string, number>();
  const working = new Set<Promise<void>>();

  async function save(batch: BatchObject): Promise<void> {
    await atomicWrite(join(await files.folder(), `${batch.id}.json`), JSON.stringify(batch));
  }
  function work(batch: BatchObject): void {
    const queued = () =>
      [...batches.values()].reduce(
        (sum, { id, status }) => sum + (id !== batch.id && UNFINISHED.has(status) ? (tokens.get(id) ?? 0) : 0),
        0,
      );
    const count = (counted: BatchObject, sum: number) => void tokens.set(counted.id, sum);
    const done = workOn({ state, files, save, queued, count }, batch)
      .catch((error: unknown) => {
        if (!state.closing.aborted) throw error;
      })
      .finally(() => working.delete(done));
    working.add(done);
  }

  for (const batch of foundIn(folder)) {
    batches.set(batch.id, batch);
    if (UNFINISHED.has(batch.status)) work(batch);
  }

  return {
    async create({ input_file_id, endpoint, completion_window, metadata }) {
      const batch: BatchObject = {
        // the number makes the ids sort by creation, as the list shows them
        id: `batch_${String(batches.size + 1).padStart(6, '0')}${randomBytes(8).toString('hex')}`,
        object: 'batch',
        endpoint,
        input_file_id,
        completion_window,
        metadata: metadata ?? null,
        created_at: Math.floor(Date.now() / 1000),
        status: 'validating',
        errors: null,
        output_file_id: null,
        error_file_id: null,
        request_counts: { total: 0, completed: 0, failed: 0 },
      };
      batches.set(batch.id, batch);
      await save(batch);
      work(batch);
      return batch;
    },
    find: (id) => batches.get(id),
    list: () => [...batches.values()],
    async cancel(batch) {
      if (UNFINISHED.has(batch.status)) batch.status = 'cancelling';
      await save(batch);
    },
    async close() {
      await Promise.all(working);
    },
  };
}

function foundIn(folder: string | undefined): BatchObject[] {
  if (folder === undefined || !existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => /^batch_\w+\.json$/.test(name))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as BatchObject);
}

/** The largest request that makes a batch, in bytes. */
const BODY_LIMIT = 64 << 10;

export function batchRoutes(batches: BatchStore, files: Files): readonly Route[] {
  const noBatch = (id: string) => invalid(`No batch found with id '${id}'.`, null, 404);
  return [
    {
      method: 'POST',
      path: /^\/batches$/,
      handle: async ({ request, response }) => {
        const wanted = parse((await readBody(request, BODY_LIMIT))?.toString('utf8') ?? '');
        if (wanted === undefined) return sendRefusal(response, invalid('The body is not a batch'));
        if (files.find(wanted.input_file_id) === undefined)
          return sendRefusal(response, invalid(`No such File object: ${wanted.input_file_id}`));
        send(response, 200, await batches.create(wanted));
      },
    },
    {
      method: 'GET',
      path: /^\/batches$/,
      handle: ({ response, query }) => {
        const all = [...batches.list()].reverse();
        const from = all.findIndex(({ id }) => id === query.get('after')) + 1;
        const data = all.slice(from, from + Math.min(100, Number(query.get('limit') ?? 20)));
        send(response, 200, {
          object: 'list',
          data,
          first_id: data[0]?.id ?? null,
          last_id: data.at(-1)?.id ?? null,
          has_more: from + data.length < all.length,
        });
      },
    },
    {
      method: 'GET',
      path: /^\/batches\/([^/]+)$/,
      handle: ({ response }, id = '') => {
        const batch = batches.find(id);
        if (batch === undefined) sendRefusal(response, noBatch(id));
        else send(response, 200, batch);
      },
    },
    {
      method: 'POST',
      path: /^\/batches\/([^/]+)\/cancel$/,
      handle: async ({ response }, id = '') => {
        const batch = batches.find(id);
        if (batch === undefined) return sendRefusal(response, noBatch(id));
        await batches.cancel(batch);
        send(response, 200, batch);
      },
    },
  ];
}

function parse(text: string): z.infer<typeof createBody> | undefined {
  try {
    return createBody.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
