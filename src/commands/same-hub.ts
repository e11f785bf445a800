import { shellWord } from '../errors.ts';

/** The Hub over HTTP that this command was given; the embedded one needs no word. One command a process. */
let given: string | undefined;

export function noteHub(url: string | undefined): void {
  given = url;
}

/** What a command that is printed needs so that it finds the same Hub, with a space before it. */
export function hubOption(): string {
  return given === undefined ? '' : ` --hub ${shellWord(given)}`;
}

const ABOUT_ID =
  /\bzephyr (?:resume|status|logs|cancel|wait|inspect|review|export|eval|report|compare|chat|hub rm) hf:[^\s;,()]+/g;

/** A text whose commands about a reference name the Hub that it is on: they are to be copied as they are printed. */
export function onSameHub(text: string): string {
  return text.replace(ABOUT_ID, (command) => `${command}${hubOption()}`);
}
