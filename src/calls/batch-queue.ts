/** A batch at a server, with its input tokens, by estimate. */
interface Queued {
  readonly tokens: number;
}

/** OpenAI: `Enqueued token limit reached for gpt-4o in organization X. Limit: 90,000 enqueued tokens.` */
const SAID = /Limit: ([\d,]+)/;

/**
 * The input tokens that wait at a server in all batches together, whichever dispatcher sent them. A refusal halves what is
 * let in: the server counts otherwise than the estimate, or others wait there too. What is let in then grows again, up to
 * what the server or the recipe says.
 */
export class TokenQueue {
  readonly #queued = new Set<Queued>();
  /** in the order of their turns */
  readonly #pumps = new Set<() => void>();
  #most = Number.POSITIVE_INFINITY;
  #letIn = Number.POSITIVE_INFINITY;
  #refusals = 0;
  #restsUntil = 0;

  /** batches that wait or are worked on */
  get batches(): number {
    return this.#queued.size;
  }
  /** tokens that would fit in if nothing else waited */
  get most(): number {
    return this.#most;
  }
  /** tokens that still fit in */
  get room(): number {
    return this.#letIn - this.#waiting;
  }
  /** Less than this is not worth a batch of its own while another one is on its way. */
  get worthwhile(): number {
    return this.#letIn / 4;
  }
  /** Nothing is sent before, by the process's steady clock in milliseconds. */
  get restsUntil(): number {
    return this.#restsUntil;
  }

  /** `pump` sends what there is room for; it is called when a batch has left. */
  join(pump: () => void): void {
    this.#pumps.add(pump);
  }

  /** A batch is on its way; `pump`: the one that sent it, which has the last turn now. */
  add(batch: Queued, pump?: () => void): void {
    this.#queued.add(batch);
    if (pump !== undefined && this.#pumps.delete(pump)) this.#pumps.add(pump);
  }

  remove(batch: Queued): void {
    this.#queued.delete(batch);
  }

  /** Lets all send what there is room for now, those first that have waited longest. */
  wake(): void {
    for (const pump of [...this.#pumps]) pump();
  }

  /** The server has refused to let `tokens` in, and said why; returns how often it has in a row. */
  refused(tokens: number, message: string): number {
    const said = Number(SAID.exec(message)?.[1]?.replaceAll(',', ''));
    if (said > 0) this.#most = Math.min(this.#most, said);
    this.#letIn = Math.max(1, Math.min(this.#most, (tokens + this.#waiting) / 2));
    this.#refusals += 1;
    return this.#refusals;
  }

  /** A batch was let in. */
  admitted(): void {
    this.#refusals = 0;
    this.#letIn = Math.min(this.#most, this.#letIn * 2);
  }

  rest(ms: number): void {
    this.#restsUntil = Math.max(this.#restsUntil, performance.now() + ms);
  }

  /** Adds a limit, of which the least holds. */
  limitTo(tokens: number): void {
    this.#most = Math.min(this.#most, tokens);
    this.#letIn = Math.min(this.#letIn, this.#most);
  }

  get #waiting(): number {
    return [...this.#queued].reduce((sum, { tokens }) => sum + tokens, 0);
  }
}

/**
 * One queue for each server and model, however many teachers of a recipe are that one: OpenAI counts by model and
 * organization. `name`: the teacher's; `limit`: what the recipe says.
 */
export function tokenQueues(): (name: string, limit: number | undefined) => TokenQueue {
  const queues = new Map<string, TokenQueue>();
  return (name, limit) => {
    const queue = queues.get(name) ?? new TokenQueue();
    queues.set(name, queue);
    if (limit !== undefined) queue.limitTo(limit);
    return queue;
  };
}
