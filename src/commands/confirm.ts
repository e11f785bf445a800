/** What a user says to a question. Ctrl-C, a signal or a terminal that closes interrupt it; Ctrl-D is no yes. */
export type Answer = 'yes' | 'no' | 'interrupted';

/** Whether a person may read a question and answer it. */
export function hasTerminal(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Whether the user says yes; without a terminal no question is asked, and the answer is no. */
export async function confirms(question: string): Promise<boolean> {
  return hasTerminal() && (await askYes(question)) === 'yes';
}

/** Whether a question can be asked: there is a terminal on both ends, and no CI that only looks like one. */
export function canAsk(env: Readonly<Record<string, string>>): boolean {
  return hasTerminal() && env.CI === undefined;
}

/** Asks on the terminal, also where stdout is a file or a pipe. */
export async function askYes(question: string, signal?: AbortSignal): Promise<Answer> {
  if (signal?.aborted === true) return 'interrupted';
  const { createInterface } = await import('node:readline');
  const line = createInterface({ input: process.stdin, output: process.stderr });
  return await new Promise((resolve) => {
    let answer: Answer | undefined;
    const end = (said: Answer): void => {
      answer ??= said;
      line.close();
    };
    line.once('close', () => {
      // the line of the question has no end yet
      if (answer !== 'yes' && answer !== 'no') process.stderr.write('\n');
      resolve(answer ?? 'no');
    });
    line.once('SIGINT', () => end('interrupted'));
    signal?.addEventListener('abort', () => end('interrupted'), { once: true });
    line.question(question, (text) => end(/^y(es)?$/i.test(text.trim()) ? 'yes' : 'no'));
  });
}
