import { readFile } from 'node:fs/promises';
import { ZephyrError } from '../../../errors.ts';

/** What lies at an address or a path. Throws a `ZephyrError` (preflight) with the hint where nothing can be read. */
export async function contentOf(
  place: string,
  { signal, hint }: { readonly signal: AbortSignal; readonly hint: string },
): Promise<Buffer> {
  try {
    return /^https?:/.test(place) ? await get(place, signal) : await readFile(place);
  } catch (error) {
    if (signal.aborted) throw error;
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : causeOf(error);
    throw new ZephyrError(`Cannot get "${place}" for MT-Bench: ${why}`, { exit: 'preflight', hint });
  }
}

async function get(url: string, signal: AbortSignal): Promise<Buffer> {
  const response = await fetch(url, { signal });
  if (!response.ok) throw new Error(`the server answers ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}

function causeOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message : message;
}
