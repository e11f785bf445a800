import * as z from 'zod';
import { type Exchange, HttpError } from './exchange.ts';

/** Bytes of a JSON body at most: it describes uploads, whose own bytes come by other routes. */
const MAX_BYTES = 64 << 20;

async function readBytes({ request }: Exchange): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > MAX_BYTES) throw new HttpError(413, `Expected a body of at most ${MAX_BYTES} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** The body as JSON of a shape; an empty body is `{}`. */
export async function readJson<T>(exchange: Exchange, shape: z.ZodType<T>): Promise<T> {
  const text = (await readBytes(exchange)).toString('utf8');
  return parse(text === '' ? '{}' : text, shape);
}

export function parse<T>(text: string, shape: z.ZodType<T>): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new HttpError(400, 'Expected JSON');
  }
  const parsed = shape.safeParse(json);
  if (!parsed.success) throw new HttpError(400, z.prettifyError(parsed.error));
  return parsed.data;
}

/** Python sends paths as a form with repeated members, JavaScript as JSON. */
export async function readPaths(exchange: Exchange): Promise<{ paths: string[]; expand: boolean }> {
  const type = exchange.request.headers['content-type'] ?? '';
  if (type.startsWith('application/x-www-form-urlencoded')) {
    const form = new URLSearchParams((await readBytes(exchange)).toString('utf8'));
    return { paths: form.getAll('paths'), expand: isTrue(form.get('expand')) };
  }
  const shape = z.object({
    paths: z.union([z.string().transform((path) => [path]), z.array(z.string())]),
    expand: z.boolean().optional(),
  });
  const { paths, expand } = await readJson(exchange, shape);
  return { paths, expand: expand ?? false };
}

export function isTrue(value: string | null): boolean {
  return value !== null && /^(true|1)$/i.test(value);
}
