import { createInterface } from 'node:readline';
import { type Partner, printAnswers, type Sheet } from './answers.ts';
import type { Interrupts } from './interrupts.ts';
import type { Draws } from './talker.ts';

const COMMANDS = {
  '/new': 'begin again: what was said is forgotten',
  '/back': 'take the last question and its answer away',
  '/bye': 'leave, as Ctrl-D does',
  '/help': 'this list',
} as const;

export interface Session {
  readonly partners: readonly Partner[];
  /** of each question in turn */
  readonly sampling: (question: number) => Draws;
  readonly sheet: Sheet;
  readonly input: NodeJS.ReadStream;
  /** where the question is typed */
  readonly output: NodeJS.WriteStream;
  readonly interrupts: Interrupts;
}

/** Questions and answers on a terminal until its user leaves. */
export async function talkOnTerminal({ partners, sampling, sheet, input, output, interrupts }: Session): Promise<void> {
  const history: string[] = [];
  for (let asked = 0; ; ) {
    const text = await typed(input, output, history);
    if (text === undefined || text === '/bye') return;
    if (text === '') continue;
    if (text.startsWith('/')) {
      command(text, partners, sheet);
      continue;
    }
    const outcomes = await interrupts.during((signal) =>
      printAnswers(partners, { text, sampling: sampling(asked), signal }, sheet),
    );
    asked += 1;
    if (outcomes.some(({ end }) => end === 'too-long'))
      sheet.note('/back takes the last question and answer away, /new begins again');
    sheet.note('');
    if (interrupts.left) return;
  }
}

function command(text: string, partners: readonly Partner[], sheet: Sheet): void {
  if (text === '/new') {
    for (const { dialogue } of partners) dialogue.clear();
    sheet.note('(a new dialogue)');
  } else if (text === '/back') {
    const had = partners.map(({ dialogue }) => dialogue.back());
    sheet.note(had.includes(true) ? '(the last question and answer are gone)' : '(nothing was said yet)');
  } else {
    if (text !== '/help') sheet.note(`There is no command ${text}; a question may begin with "/" after a space.`);
    for (const [name, about] of Object.entries(COMMANDS)) sheet.note(`${name.padEnd(6)} ${about}`);
  }
}

/**
 * What the user types, undefined when they leave (Ctrl-D, or Ctrl-C on an empty line). Lines that come in one piece were
 * pasted, and are one question together with what is typed behind them; one that ends with "\" goes on in the next.
 */
async function typed(input: NodeJS.ReadStream, output: NodeJS.WriteStream, history: string[]): Promise<string | undefined> {
  const line = createInterface({ input, output, terminal: true, history, prompt: '> ', historySize: 100 });
  line.on('history', (kept: string[]) => history.splice(0, history.length, ...kept));
  return await new Promise((resolve) => {
    const lines: string[] = [];
    let answer: string | undefined;
    let isLooking = false;
    const look = (): void => {
      isLooking = false;
      // the last line of a paste may have no line break, and is still edited
      if (line.line !== '') return;
      answer = lines.join('\n');
      line.close();
    };
    line.on('line', (text) => {
      const goesOn = text.endsWith('\\');
      lines.push(goesOn ? text.slice(0, -1) : text);
      if (!goesOn && !isLooking) {
        isLooking = true;
        setImmediate(look);
      } else if (goesOn) line.prompt();
    });
    line.on('SIGINT', () => {
      if (line.line === '' && lines.length === 0) return line.close();
      lines.length = 0;
      output.write('^C\n');
      line.close();
      answer = '';
    });
    line.on('close', () => {
      if (answer === undefined) output.write('\n');
      resolve(answer);
    });
    line.prompt();
  });
}
