import type { Reply } from '../../src/practice/requests.ts';
import type { Fault } from './fault-rules.ts';

/** The reply with one thing wrong in it. Faults that are not about the reply leave it as it is. */
export function corrupt(reply: Reply, fault: Fault): Reply {
  switch (fault) {
    case 'invalid-json':
      return { ...reply, content: `Here you are: ${reply.content.slice(0, -1)}` };
    case 'wrong-label':
      return relabel(
        reply,
        (items) => items.map((item, index) => (index === 0 ? { ...item, label: 'Z' } : item)),
        (whole) => ('better' in whole ? { ...whole, better: 'Z' } : whole),
      );
    case 'missing-label':
      return relabel(reply, (items) => items.slice(1));
    case 'duplicate-label':
      return relabel(reply, (items) => items.map((item, index) => (index === 1 ? { ...item, label: items[0]?.label } : item)));
    case 'off-scale':
      return rerate(reply);
    case 'refusal':
      return { content: '', refusal: 'I cannot help with that.', finishReason: 'stop' };
    case 'truncated':
      return { content: reply.content.slice(0, reply.content.length / 2), finishReason: 'length' };
    case 'empty':
      return { ...reply, content: '' };
    default:
      return reply;
  }
}

type Item = Record<string, unknown> & { readonly label?: unknown };

/** Changes the list of labelled items in a JSON reply, wherever it is, and objects. Another reply stays as it is. */
function relabel(
  reply: Reply,
  change: (items: readonly Item[]) => readonly Item[],
  changeObject: (whole: Item) => Item = (whole) => whole,
): Reply {
  const visit = (value: unknown): unknown => {
    if (Array.isArray(value) && value.every((item) => typeof item === 'object' && item !== null && 'label' in item))
      return change(value as Item[]);
    if (Array.isArray(value)) return value.map(visit);
    if (value !== null && typeof value === 'object')
      return changeObject(Object.fromEntries(Object.entries(value).map(([key, member]) => [key, visit(member)])));
    return value;
  };
  const whole = parse(reply.content);
  return whole === undefined ? reply : { ...reply, content: JSON.stringify(visit(whole)) };
}

/** Every whole number becomes one that no scale has. */
function rerate(reply: Reply): Reply {
  const whole = parse(reply.content);
  if (whole === undefined) return reply;
  return { ...reply, content: JSON.stringify(whole, (_, value) => (typeof value === 'number' ? value + 90 : value)) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
