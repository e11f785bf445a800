import { answerChat } from './answering.ts';
import { invalid, type Route, readBody, send, sendRefusal } from './exchange.ts';
import type { PracticeState } from './state.ts';
import type { Stored } from './stored.ts';

/** The largest chat request that is read, in bytes. */
const BODY_LIMIT = 4 << 20;

/** Chat completions: asking, and finding again what was stored. */
export function chatRoutes(state: PracticeState): readonly Route[] {
  return [
    {
      method: 'POST',
      path: /^\/chat\/completions$/,
      handle: async ({ request, response }) => {
        const text = await readBody(request, BODY_LIMIT);
        if (text === undefined) return sendRefusal(response, invalid('The body is too large', null, 413));
        const answer = await answerChat(state, text.toString('utf8'), request.headers);
        await answer.send(response, answer.status, answer.body, answer.headers);
      },
    },
    {
      method: 'GET',
      path: /^\/chat\/completions$/,
      handle: ({ response, query }) => send(response, 200, listed(state.stored, query)),
    },
    {
      method: 'GET',
      path: /^\/chat\/completions\/([^/]+)$/,
      handle: ({ response }, id = '') => {
        const found = state.stored.find(id);
        if (found === undefined) sendRefusal(response, invalid(`No chat completion found with id "${id}"`, 'not_found', 404));
        else send(response, 200, found);
      },
    },
  ];
}

function listed(stored: Stored, query: URLSearchParams) {
  const metadata = Object.fromEntries(
    [...query].flatMap(([name, value]) => (/^metadata\[.+\]$/.test(name) ? [[name.slice(9, -1), value]] : [])),
  );
  const all = stored.list(query.get('model') ?? undefined, metadata);
  if (query.get('order') === 'desc') all.reverse();
  const from = all.findIndex(({ id }) => id === query.get('after')) + 1;
  const data = all.slice(from, from + Number(query.get('limit') ?? 20));
  return {
    object: 'list',
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: from + data.length < all.length,
  };
}
