/** A batch at a server, with its input tokens, by estimate. */
interface Queued {
  readonly tokens: number;
}

/** The input tokens that wait at a server in all batches together, whichever dispatcher sent them. */
export interface TokenQueue {
  /** batches that wait or are worked on */
  readonly batches: number;
  /** tokens that still fit in */
  readonly room: number;
  /** tokens that would fit in if nothing else waited */
  readonly most: number;
  /** Less than this is not worth a batch of its own while another one is on its way. */
  readonly worthwhile: number;
  /** Nothing is sent before, by the process's steady clock in milliseconds. */
  readonly restsUntil: number;
  /** `pump` sends what there is room for; it is called when a batch has left. */
  join(pump: () => void): void;
  /** A batch is on its way, sent by that pump if by any. */
  add(batch: Queued, pump?: () => void): void;
  remove(batch: Queued): void;
  /** Lets all send what there is room for now, those first who have waited longest. */
  wake(): void;
  /** The server has refused to let `tokens` in, and said why; returns how often it has in a row. */
  refused(tokens: number, message: string): number;
  /** A batch was let in. */
  admitted(): void;
  rest(ms: number): void;
  /** Also a limit: of several the least holds. */
  limitTo(tokens: number): void;
}

/** OpenAI: `Enqueued token limit reached for gpt-4o in organization X. Limit: 90,000 enqueued tokens.` */
const SAID = /Limit: ([\d,]+)/;

/**
 * `limit`: what the recipe says. A refusal halves what is let in: the server counts otherwise than the estimate, or others
 * wait there too. What is let in then grows again, up to what the server or the recipe says.
 */
export function tokenQueue(): TokenQueue {
  const queued = new Set<Queued>();
  /** in the order of their turns */
  const pumps = new Set<() => void>();
  let most = Number.POSITIVE_INFINITY;
  let now = most;
  let refusals = 0;
  let restsUntil = 0;
  const waiting = () => [...queued].reduce((sum, { tokens }) => sum + tokens, 0);

  return {
    get batches() {
      return queued.size;
    },
    get most() {
      return most;
    },
    get room() {
      return now - waiting();
    },
    get worthwhile() {
      return now / 4;
    },
    get restsUntil() {
      return restsUntil;
    },
    join(pump) {
      pumps.add(pump);
    },
    add(batch, pump) {
      queued.add(batch);
      if (pump !== undefined && pumps.delete(pump)) pumps.add(pump);
    },
    remove(batch) {
      queued.delete(batch);
    },
    wake() {
      for (const pump of [...pumps]) pump();
    },
    refused(tokens, message) {
      const said = Number(SAID.exec(message)?.[1]?.replaceAll(',', ''));
      if (said > 0) most = Math.min(most, said);
      now = Math.max(1, Math.min(most, (tokens + waiting()) / 2));
      refusals += 1;
      return refusals;
    },
    admitted() {
      refusals = 0;
      now = Math.min(most, now * 2);
    },
    rest(ms) {
      restsUntil = Math.max(restsUntil, performance.now() + ms);
    },
    limitTo(tokens) {
      most = Math.min(most, tokens);
      now = Math.min(now, most);
    },
  };
}

/**
 * One queue for each server and model, however many teachers of a recipe are that one: OpenAI counts by model and
 * organization. `name`: the teacher's.
 */
export function tokenQueues(): (name: string, limit: number | undefined) => TokenQueue {
  const queues = new Map<string, TokenQueue>();
  return (name, limit) => {
    const queue = queues.get(name) ?? tokenQueue();
    queues.set(name, queue);
    if (limit !== undefined) queue.limitTo(limit);
    return queue;
  };
}
