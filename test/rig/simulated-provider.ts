import type { TokenBucket } from '../../src/calls/token-bucket.ts';
import { tokenBucket } from './token-bucket.ts';

export interface Provider {
  readonly perMinute: number;
  readonly burstSeconds: number;
  readonly latencyMs: number;
  /** what the client takes from its bucket, what a call turns out to use, and what the provider charges for it */
  readonly estimate: (n: number) => number;
  readonly used: (n: number) => number;
  readonly charged: (n: number) => number;
  readonly sendsHeaders: boolean;
}

/** Calls that are on their way at most before anybody has named a limit. */
const UNKNOWN = 16;
/** A refusal takes no time to think of. */
const REFUSED_MS = 50;

/** A client's bucket against a provider's, in simulated time: what part of the limit is used, and refused, after a warm-up. */
export function simulate(bucket: TokenBucket, provider: Provider, minutes: number): { share: number; refused: number } {
  const { perMinute, burstSeconds, latencyMs, estimate, used, charged, sendsHeaders } = provider;
  const server = tokenBucket({ perMinute, burstSeconds });
  const warmUp = 60_000;
  const end = warmUp + minutes * 60_000;
  const coming: { readonly at: number; readonly arrive: () => void }[] = [];
  const counts = { charged: 0, asked: 0, refused: 0 };
  let n = 0;
  let quietUntil = 0;

  function send(now: number): void {
    const call = n;
    n += 1;
    const taken = bucket.take(estimate(call), now);
    const cost = charged(call);
    const refused = server.waitFor(cost, now) > 0;
    if (!refused) server.take(cost, now);
    if (now > warmUp) {
      counts.asked += 1;
      counts.refused += refused ? 1 : 0;
      counts.charged += refused ? 0 : cost;
    }
    const said = {
      limit: perMinute,
      remaining: Math.max(0, Math.floor(server.level(now))),
      resetMs: Math.ceil(server.untilFull(now)),
    };
    // Calls take half to one and a half times as long as on average, so that words come out of order.
    const at = now + (refused ? REFUSED_MS : latencyMs * (0.5 + ((call * 7919) % 1000) / 1000));
    const arrive = () => {
      if (refused) {
        bucket.refused(estimate(call), now);
        quietUntil = at + server.waitFor(cost, at);
      } else bucket.used(estimate(call), used(call));
      if (sendsHeaders) bucket.correct(said, now, taken, at);
    };
    let place = coming.length;
    while (place > 0 && (coming[place - 1]?.at ?? 0) < at) place -= 1;
    coming.splice(place, 0, { at, arrive });
  }

  for (let now = 0; now < end; ) {
    while (coming.length > 0 && (coming.at(-1)?.at ?? 0) <= now) coming.pop()?.arrive();
    const wait = Math.max(bucket.waitMs(estimate(n), now), quietUntil - now);
    if (wait === 0 && (bucket.limit !== undefined || coming.length < UNKNOWN)) send(now);
    else now = Math.min(now + Math.max(1, Math.ceil(wait)), Math.max(now + 0.01, coming.at(-1)?.at ?? Number.POSITIVE_INFINITY));
  }
  return { share: counts.charged / (perMinute * minutes), refused: counts.refused / counts.asked };
}
