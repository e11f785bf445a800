/**
 * How batches go. `delay` milliseconds pass before the work begins; the input tokens of all unfinished batches are at most
 * `queue`; `failed` is refused as a whole; of `expired` and `cancelled` only a share of the requests is answered; `errors`
 * answers none; `shuffled` and `twice` mix the answers up and say one of them again; `unknown` answers a request that
 * nobody made; `cut` breaks the connection half-way through a download.
 */
const RULES = ['delay', 'queue', 'failed', 'expired', 'cancelled', 'errors', 'shuffled', 'twice', 'unknown', 'cut'] as const;
type RuleName = (typeof RULES)[number];

interface Rule {
  readonly name: RuleName;
  readonly value: number | undefined;
  /** It hits this many batches, or downloads, and then stops. */
  left: number;
}

export interface BatchRules {
  /** Whether the rule hits this time, and its value: `fallback` where it has none. */
  hit(name: RuleName, fallback: number): number | undefined;
}

const RULE = /^([a-z]+)(?:=(\d+(?:\.\d+)?))?(?:x(\d+))?$/;

/** Reads `RULE[=VALUE][xTIMES]`, several with commas: `expired=0.5x1,shuffled`; throws on anything else. */
export function parseBatchRules(text: string): BatchRules {
  const rules = text
    .split(',')
    .filter((rule) => rule.trim() !== '')
    .map(parseRule);
  return {
    hit(name, fallback) {
      const rule = rules.find((each) => each.name === name && each.left > 0);
      if (rule === undefined) return undefined;
      rule.left -= 1;
      return rule.value ?? fallback;
    },
  };
}

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
