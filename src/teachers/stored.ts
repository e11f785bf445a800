import { type Dispatcher, request } from 'undici';
import { KEY, parse, readAnswer } from './body.ts';
import { withDeadline } from './deadline.ts';
import { lostFailure } from './failure.ts';
import { textOf } from './post.ts';
import { readReply } from './reply.ts';
import type { ChatAnswer, Teacher } from './teacher.ts';

interface StoreAddress {
  readonly dispatcher: Dispatcher;
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/**
 * Looks into the store of an OpenAI-compatible server for the reply to a key: `undefined` when it has none, `final` when it
 * cannot say. Not filtered by model: what is stored under `gpt-4o` may be named by its date. The key holds the model.
 */
export function recoverFrom(store: StoreAddress): Teacher['recover'] {
  return (key, _model, signal) => withDeadline(signal, store.timeoutMs, (both) => findStored(store, key, both));
}

/** The lookup at a server without a store, which finds nothing. */
export const noStore: Teacher['recover'] = async () => undefined;

async function findStored(
  { dispatcher, baseUrl, headers }: StoreAddress,
  key: string,
  signal: AbortSignal,
): Promise<ChatAnswer | undefined> {
  try {
    const url = new URL(`${baseUrl.replace(/\/+$/, '')}/chat/completions`);
    url.searchParams.set(`metadata[${KEY}]`, key);
    url.searchParams.set('limit', '1');
    const answer = await request(url, { headers, signal, dispatcher });
    const text = await textOf(answer);
    const { statusCode: status } = answer;
    if (status === 404 || status === 405) return keepsNone(`HTTP ${status}`, status);
    const header = (name: string) => answer.headers[name]?.toString();
    const page = parse(text) as { data?: unknown } | undefined;
    if (status < 200 || status > 299 || !Array.isArray(page?.data)) return readAnswer(status, header, text);
    // A server without the filter lists everything it has: only an answer that names the key is ours.
    const ours = page.data.find((each: { metadata?: Record<string, string> | null }) => each.metadata?.[KEY] === key);
    const reply = ours === undefined ? undefined : readReply(ours, undefined);
    if (reply !== undefined) return { ok: true, reply };
    return page.data.length === 0 ? undefined : keepsNone('it lists answers without regard to the key', status);
  } catch (error) {
    return { ok: false, failure: lostFailure(signal.aborted ? signal.reason : error) };
  }
}

function keepsNone(why: string, status: number): ChatAnswer {
  return { ok: false, failure: { kind: 'final', message: `The server keeps no answers: ${why}`, status, afterMs: undefined } };
}
