import { hash } from 'node:crypto';
import { hmacUniform } from '../../src/base/hmac-choice.ts';

/**
 * What can go wrong with the limits (`rpm`, `tpm`: the limit a minute, `silent-429`: no time to wait is named), on the way
 * (`latency` ... `broken-json`) or in the reply (`invalid-json` ... `no-logprobs`). A number is the status of a refusal;
 * after `drop`, `cut`, `stall`, `slow` and `broken-json` the call was answered all the same.
 */
export const FAULTS = [
  'rpm',
  'tpm',
  'silent-429',
  'latency',
  '401',
  '402',
  '403',
  '404',
  '408',
  '429',
  '500',
  '502',
  '503',
  '504',
  'quota',
  'drop',
  'cut',
  'stall',
  'slow',
  'broken-json',
  'invalid-json',
  'wrong-label',
  'missing-label',
  'duplicate-label',
  'off-scale',
  'refusal',
  'truncated',
  'empty',
  'no-logprobs',
] as const;
export type Fault = (typeof FAULTS)[number];

export interface FaultRule {
  readonly fault: Fault;
  /** latency, slow: milliseconds; a status: seconds of Retry-After, none without it */
  readonly value?: number;
  /** Share of the calls that it hits, drawn for each attempt of each request; 1 when left out. */
  readonly share?: number;
  /** So many calls of the server go by before it begins. */
  readonly after?: number;
  /** It hits this many calls of the server and then stops. */
  readonly times?: number;
}

const RULE = /^([a-z0-9-]+?)(?:=(\d+(?:\.\d+)?))?(?:@(0?\.\d+|1))?(?:>(\d+))?(?:x(\d+))?$/;

/** Reads `FAULT[=VALUE][@SHARE][>AFTER][xTIMES]`, several with commas: `429=2@0.1,latency=50,cutx3`; throws on anything else. */
export function parseFaults(text: string): FaultRule[] {
  return text
    .split(',')
    .filter((rule) => rule.trim() !== '')
    .map((rule) => {
      const match = RULE.exec(rule.trim());
      const fault = FAULTS.find((name) => name === match?.[1]);
      if (match === null || fault === undefined)
        throw new RangeError(
          `Cannot read fault "${rule}": expected FAULT[=VALUE][@SHARE][>AFTER][xTIMES] with one of ${FAULTS.join(', ')}`,
        );
      const [, , value, share, after, times] = match;
      return {
        fault,
        ...(value === undefined ? {} : { value: Number(value) }),
        ...(share === undefined ? {} : { share: Number(share) }),
        ...(after === undefined ? {} : { after: Number(after) }),
        ...(times === undefined ? {} : { times: Number(times) }),
      };
    });
}

/** Draws which faults hit a call. The same request drawn again is another attempt and gets another draw. */
export function faultDraws(seed: number | string) {
  const attempts = new Map<string, number>();
  const seen = new Map<string, number>();
  const spent = new Map<string, number>();
  return (rules: readonly FaultRule[], body: string): FaultRule[] => {
    if (rules.length === 0) return [];
    const digest = hash('sha1', body, 'base64');
    const attempt = (attempts.get(digest) ?? 0) + 1;
    attempts.set(digest, attempt);
    return rules.filter((rule) => {
      const name = JSON.stringify(rule);
      const before = seen.get(name) ?? 0;
      seen.set(name, before + 1);
      if (before < (rule.after ?? 0)) return false;
      const used = spent.get(name) ?? 0;
      if (used >= (rule.times ?? Number.POSITIVE_INFINITY)) return false;
      if (hmacUniform(seed, `${name} ${attempt}`, body) >= (rule.share ?? 1)) return false;
      spent.set(name, used + 1);
      return true;
    });
  };
}
