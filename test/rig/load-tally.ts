/** What a load server has seen. Times are milliseconds of its own clock, for differences. */
export interface LoadTally {
  /** Chat requests that came in, refused ones and those that do not count by content included. */
  readonly requests: number;
  /** Of these, those that are not counted by content. */
  readonly others: number;
  readonly refused: number;
  /** Answers sent to a client that was there, and the answers that were due when it had gone; a provider bills both. */
  readonly heard: number;
  readonly unheard: number;
  /** Different contents that were answered. */
  readonly contents: number;
  /** Answers beyond the first to the same content. */
  readonly repeated: number;
  /** Contents that a client had heard the answer to before the mark, and that were answered again since. */
  readonly answeredAgain: number;
  readonly tokens: number;
  readonly inFlight: number;
  readonly mostInFlight: number;
  readonly firstMs: number;
  readonly lastMs: number;
  /** Of the server's own process. */
  readonly cpuMs: number;
}

export interface TallyBook {
  asked(counted: boolean, nowMs: number): void;
  refused(nowMs: number): void;
  answered(counted: boolean, digest: string, tokens: number, heard: boolean, nowMs: number): void;
  mark(): void;
  read(): LoadTally;
}

export function emptyTally(): TallyBook {
  const answers = new Map<string, { heard: boolean; era: number; again: boolean }>();
  let era = 0;
  const sum = { requests: 0, others: 0, refused: 0, heard: 0, unheard: 0, repeated: 0, answeredAgain: 0, tokens: 0 };
  const span = { firstMs: 0, lastMs: 0 };
  let inFlight = 0;
  let mostInFlight = 0;
  return {
    asked: (counted, nowMs) => {
      if (sum.requests === 0) span.firstMs = nowMs;
      sum.requests += 1;
      if (!counted) sum.others += 1;
      inFlight += 1;
      if (inFlight > mostInFlight) mostInFlight = inFlight;
    },
    refused: (nowMs) => {
      sum.refused += 1;
      inFlight -= 1;
      span.lastMs = nowMs;
    },
    answered: (counted, digest, tokens, heard, nowMs) => {
      inFlight -= 1;
      span.lastMs = nowMs;
      sum.tokens += tokens;
      sum[heard ? 'heard' : 'unheard'] += 1;
      if (!counted) return;
      const known = answers.get(digest);
      if (known === undefined) {
        answers.set(digest, { heard, era, again: false });
        return;
      }
      sum.repeated += 1;
      if (known.heard && known.era < era && !known.again) {
        known.again = true;
        sum.answeredAgain += 1;
      }
    },
    mark: () => {
      era += 1;
      sum.answeredAgain = 0;
      for (const known of answers.values()) known.again = false;
    },
    read: () => ({
      ...sum,
      ...span,
      contents: answers.size,
      inFlight,
      mostInFlight,
      cpuMs: process.cpuUsage().user / 1000 + process.cpuUsage().system / 1000,
    }),
  };
}
