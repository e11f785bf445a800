import { hmacUniform } from '../base/hmac-choice.ts';

/** What can go wrong: on the way (`latency` ... `stall`) or in the reply (`invalid-json` ... `empty`). */
export const FAULTS = [
  'latency',
  '429',
  '500',
  '503',
  'quota',
  'cut',
  'stall',
  'invalid-json',
  'wrong-label',
  'missing-label',
  'duplicate-label',
  'refusal',
  'truncated',
  'empty',
] as const;
export type Fault = (typeof FAULTS)[number];

export interface Misbehaviour {
  readonly fault: Fault;
  /** latency: milliseconds; 429 and 503: seconds of Retry-After, none without it */
  readonly value?: number;
  /** Share of the calls that it hits, drawn for each attempt of each request; 1 when left out. */
  readonly share?: number;
  /** It hits this many calls of the server and then stops. */
  readonly times?: number;
}

const RULE = /^([a-z0-9-]+?)(?:=(\d+(?:\.\d+)?))?(?:@(0?\.\d+|1))?(?:x(\d+))?$/;

/** Reads `FAULT[=VALUE][@SHARE][xTIMES]`, several with commas: `429=2@0.1,latency=50,cutx3`; throws on anything else. */
export function parseMisbehaviour(text: string): Misbehaviour[] {
  return text
    .split(',')
    .filter((rule) => rule.trim() !== '')
    .map((rule) => {
      const match = RULE.exec(rule.trim());
      const fault = FAULTS.find((name) => name === match?.[1]);
      if (match === null || fault === undefined)
        throw new RangeError(
          `Cannot read misbehaviour "${rule}": expected FAULT[=VALUE][@SHARE][xTIMES] with one of ${FAULTS.join(', ')}`,
        );
      const [, , value, share, times] = match;
      return {
        fault,
        ...(value === undefined ? {} : { value: Number(value) }),
        ...(share === undefined ? {} : { share: Number(share) }),
        ...(times === undefined ? {} : { times: Number(times) }),
      };
    });
}

/** Draws which faults hit a call. The same request drawn again is another attempt and gets another draw. */
export function makeFaults(seed: number | string) {
  const attempts = new Map<string, number>();
  const spent = new Map<string, number>();
  return (rules: readonly Misbehaviour[], body: string): Misbehaviour[] => {
    if (rules.length === 0) return [];
    const attempt = (attempts.get(body) ?? 0) + 1;
    attempts.set(body, attempt);
    return rules.filter((rule) => {
      const name = JSON.stringify(rule);
      const used = spent.get(name) ?? 0;
      if (used >= (rule.times ?? Number.POSITIVE_INFINITY)) return false;
      if (hmacUniform(seed, `${name} ${attempt}`, body) >= (rule.share ?? 1)) return false;
      spent.set(name, used + 1);
      return true;
    });
  };
}
