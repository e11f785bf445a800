/** Whether the user says yes; without a terminal nobody is asked, and nobody has. */
export async function confirms(question: string): Promise<boolean> {
  return process.stdin.isTTY && process.stderr.isTTY && /^y(es)?$/i.test(await ask(question));
}

/** The line that is typed; empty for Ctrl-C and Ctrl-D. */
async function ask(question: string): Promise<string> {
  const { createInterface } = await import('node:readline');
  const line = createInterface({ input: process.stdin, output: process.stderr });
  return await new Promise((resolve) => {
    line.once('close', () => resolve(''));
    line.once('SIGINT', () => line.close());
    line.question(question, (answer) => {
      resolve(answer);
      line.close();
    });
  });
}
