/**
 * Ctrl-C while an answer comes ends the answer; a second one before it has ended, and one while nothing is answered, leaves.
 * A signal from elsewhere (SIGTERM, the terminal was closed) leaves at once.
 */
export class Interrupts {
  readonly #leaving = new AbortController();
  #answering: AbortController | undefined;
  readonly #onSignal = (name: NodeJS.Signals): void => {
    const answering = this.#answering;
    if (name === 'SIGINT' && answering !== undefined && !answering.signal.aborted) answering.abort();
    else this.#leaving.abort();
  };

  constructor() {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, this.#onSignal);
  }

  /** Aborted when the user leaves. */
  get signal(): AbortSignal {
    return this.#leaving.signal;
  }

  get left(): boolean {
    return this.#leaving.signal.aborted;
  }

  async during<T>(answer: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const answering = new AbortController();
    this.#answering = answering;
    const leave = (): void => answering.abort();
    this.signal.addEventListener('abort', leave);
    try {
      return await answer(answering.signal);
    } finally {
      this.signal.removeEventListener('abort', leave);
      this.#answering = undefined;
    }
  }

  stop(): void {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(name, this.#onSignal);
  }
}
