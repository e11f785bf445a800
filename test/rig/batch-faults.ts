import { hmacOrder } from '../../src/base/hmac-choice.ts';
import type { Faults } from '../../src/practice/faults.ts';

/**
 * How batches go. `delay` milliseconds pass before the work begins; the input tokens of all unfinished batches are at most
 * `queue`; `failed` is refused as a whole; of `expired` and `cancelled` only a share of the requests is answered; `errors`
 * answers none; `shuffled` and `twice` mix the answers up and say one of them again; `unknown` answers a request that
 * was not made; `cut` breaks the connection half-way through a download.
 */
const RULES = ['delay', 'queue', 'failed', 'expired', 'cancelled', 'errors', 'shuffled', 'twice', 'unknown', 'cut'] as const;
type RuleName = (typeof RULES)[number];

interface Rule {
  readonly name: RuleName;
  readonly value: number | undefined;
  /** It hits this many batches, or downloads, and then stops. */
  left: number;
}

const RULE = /^([a-z]+)(?:=(\d+(?:\.\d+)?))?(?:x(\d+))?$/;

/** By rules of the form `RULE[=VALUE][xTIMES]`, several with commas: `expired=0.5x1,shuffled`; throws on anything else. */
export function batchFaults(text: string): Omit<Faults, 'chat'> {
  const rules = text
    .split(',')
    .filter((rule) => rule.trim() !== '')
    .map(parseRule);
  /** The value of the rule where it hits this time: `fallback` where it has none. */
  function hit(name: RuleName, fallback = 1): number | undefined {
    const rule = rules.find((each) => each.name === name && each.left > 0);
    if (rule === undefined) return undefined;
    rule.left -= 1;
    return rule.value ?? fallback;
  }
  return {
    batchDelay: () => hit('delay', 50) ?? 0,
    batchRefusal(tokens, queued) {
      const limit = hit('queue', 0);
      if (hit('failed') !== undefined) return { code: 'invalid_request', message: 'The file could not be processed' };
      return limit !== undefined && queued + tokens > limit ? queueFull(limit) : undefined;
    },
    batch() {
      const expired = hit('expired', 0.5);
      const cancelled = hit('cancelled', 0.5);
      const status = expired !== undefined ? 'expired' : cancelled !== undefined ? 'cancelled' : 'completed';
      return { status, share: expired ?? cancelled ?? 1, isOverloaded: hit('errors') !== undefined };
    },
    batchOutput(id, lines) {
      const twice = lines.length > 0 && hit('twice') !== undefined ? lines.slice(0, 1) : [];
      const unknown = hit('unknown') !== undefined ? [OF_NOBODY] : [];
      const all = [...lines, ...twice, ...unknown];
      return hit('shuffled') === undefined ? all : hmacOrder(0, id, all, (line) => line);
    },
    download: (size) => (size > 0 && hit('cut') !== undefined ? Math.floor(size / 2) : size),
  };
}

/** The answer to a request that was not made. */
const OF_NOBODY = JSON.stringify({
  id: 'batch_req_nobody',
  custom_id: 'nobody',
  response: { status_code: 200, request_id: 'req', body: {} },
  error: null,
});

const queueFull = (limit: number) => ({
  code: 'token_limit_exceeded',
  message:
    `Enqueued token limit reached for this model in this organization. Limit: ${limit.toLocaleString('en-US')} enqueued tokens. ` +
    'Please try again once some in_progress batches have been completed.',
});

function parseRule(rule: string): Rule {
  const [, found, value, times] = RULE.exec(rule.trim()) ?? [];
  const name = RULES.find((each) => each === found);
  if (name === undefined)
    throw new RangeError(`Cannot read batch rule "${rule}": expected RULE[=VALUE][xTIMES] with one of ${RULES.join(', ')}`);
  return {
    name,
    value: value === undefined ? undefined : Number(value),
    left: times === undefined ? Number.POSITIVE_INFINITY : Number(times),
  };
}
