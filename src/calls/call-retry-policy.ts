/** When the engine tries a call or a server again, and when it gives it up. Times in milliseconds. */
export interface CallRetryPolicy {
  /** of one call, "too many requests" not counted, before it is given up or its server is taken to be out of reach */
  readonly attempts: number;
  /** of one call, from its first attempt on */
  readonly callMs: number;
  /** first and longest pause of the back-off between two attempts */
  readonly baseMs: number;
  readonly capMs: number;
  /** A server that answers nothing for this time, asked again and again, is away: calls to it end with that. */
  readonly awayMs: number;
  /** The same for one that has never answered: its address is wrong, or it was not started. */
  readonly unseenMs: number;
  /** A server that answers nothing for this time but "too many requests" is out of reach. */
  readonly silenceMs: number;
  /** Nothing is sent for this time after "too many requests" that names no time. */
  readonly busyMs: number;
  /** Failures in a row, without an answer, after which the breaker opens and a server is left alone. */
  readonly breakAfter: number;
  /** For how long it opens at first; each time that the server fails again it opens for twice as long, up to a most. */
  readonly breakMs: number;
  readonly breakMostMs: number;
  /** between two looks into a server's store */
  readonly lookMs: number;
  /** longest that a server may process a file before a batch may name it */
  readonly fileMs: number;
  /** A batch is closed when nothing new has come for this time: no more is coming before its calls are answered. */
  readonly gatherMs: number;
}

export const CALL_RETRY_POLICY: CallRetryPolicy = {
  attempts: 6,
  callMs: 600_000,
  baseMs: 500,
  capMs: 60_000,
  awayMs: 180_000,
  unseenMs: 20_000,
  silenceMs: 600_000,
  busyMs: 2000,
  breakAfter: 10,
  breakMs: 5000,
  breakMostMs: 15_000,
  lookMs: 1000,
  fileMs: 600_000,
  gatherMs: 2000,
};
