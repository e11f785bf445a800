import { loadWidths } from '../render/text-width.ts';
import { Foot, fitted, LEAST_SIDE_BY_SIDE, printable, sideBySide } from './columns.ts';
import type { ChatDialogue } from './dialogue.ts';
import { remark } from './dialogue.ts';
import type { Draws, Outcome, Talker } from './talker.ts';

/** A model and what was said with it. */
export interface Partner {
  readonly talker: Talker;
  readonly dialogue: ChatDialogue;
}

/** Where answers and what is said of them go. */
export interface Sheet {
  readonly write: (text: string) => void;
  readonly note: (text: string) => void;
  /** of the terminal that answers go to; undefined where they go to a file or a pipe */
  readonly size: { readonly columns: number; readonly rows: number } | undefined;
}

interface ChatQuestion {
  readonly text: string;
  readonly sampling: Draws;
  readonly signal: AbortSignal;
}

/** Has every model answer, prints what they say as they say it, and keeps it in their dialogues. */
export async function printAnswers(partners: readonly Partner[], question: ChatQuestion, sheet: Sheet): Promise<Outcome[]> {
  const [first, second] = partners;
  if (first === undefined) return [];
  if (second === undefined) return [await printOne(first, question, sheet)];
  const { size } = sheet;
  if (size === undefined || size.columns < LEAST_SIDE_BY_SIDE) return await printInTurn(partners, question, sheet);
  return await printBeside([first, second], question, sheet, size);
}

async function ask(
  { talker, dialogue }: Partner,
  { text, sampling, signal }: ChatQuestion,
  onText: (piece: string) => void,
): Promise<Outcome> {
  const outcome = await talker.ask(dialogue.with(text), sampling, { signal, onText });
  dialogue.keep(text, outcome);
  return outcome;
}

async function printOne(partner: Partner, question: ChatQuestion, sheet: Sheet): Promise<Outcome> {
  let last = '';
  const outcome = await ask(partner, question, (piece) => {
    const text = printable(piece);
    sheet.write(text);
    last = text.at(-1) ?? last;
  });
  if (last !== '' && last !== '\n') sheet.write('\n');
  const said = remark(outcome, question.sampling.maxTokens);
  if (said !== undefined) sheet.note(`(${said})`);
  return outcome;
}

/** One under the other, each below its name. Only one computes at a time, so that each is as fast as it can be. */
async function printInTurn(partners: readonly Partner[], question: ChatQuestion, sheet: Sheet): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [index, partner] of partners.entries()) {
    sheet.write(
      `${index === 0 ? '' : '\n'}${partner.talker.name}\n${'─'.repeat(Math.min(partner.talker.name.length, sheet.size?.columns ?? 80))}\n`,
    );
    outcomes.push(await printOne(partner, question, sheet));
  }
  return outcomes;
}

async function printBeside(
  partners: readonly [Partner, Partner],
  question: ChatQuestion,
  sheet: Sheet,
  { columns, rows }: NonNullable<Sheet['size']>,
): Promise<Outcome[]> {
  await loadWidths();
  const foot = new Foot(sheet.write, rows);
  // the last column stays free: some terminals break the line there
  const width = columns - 1;
  const name = ({ talker }: Partner) => ({ text: `${talker.name}\n${'─'.repeat(Math.floor((width - 3) / 2))}`, isOver: true });
  sheet.write(`${sideBySide(name(partners[0]), name(partners[1]), width).rows.join('\n')}\n`);
  const sides = partners.map(() => ({ text: '', isOver: false })) as [Shown, Shown];
  const draw = (): void => foot.draw(sideBySide(sides[0], sides[1], width));
  const outcomes = await Promise.all(
    partners.map(async (partner, index) => {
      const side = sides[index] as Shown;
      const outcome = await ask(partner, question, (piece) => {
        side.text += printable(piece);
        draw();
      });
      const said = remark(outcome, question.sampling.maxTokens);
      side.text = [side.text.trimEnd(), ...(said === undefined ? [] : [`(${said})`])].filter((part) => part !== '').join('\n');
      side.isOver = true;
      draw();
      return outcome;
    }),
  );
  return outcomes;
}

interface Shown {
  text: string;
  isOver: boolean;
}

/** A note that may be longer than a line, wrapped to the terminal. */
export const noteLines = (text: string, columns = 80): string => fitted(text, columns).join('\n');
