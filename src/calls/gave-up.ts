import { type ExitName, ZephyrError } from '../errors.ts';
import type { ChatFailure } from '../teachers/teacher.ts';

/** Which teacher a call asks, and what for. */
export interface CallPurpose {
  /** the recipe's id */
  readonly teacher: string;
  readonly purpose: string;
  /** the step that asked, `STAGE/STEP` */
  readonly step?: string | undefined;
}
type RefusedCall = Pick<ChatFailure, 'kind' | 'message'>;

/** The words of a refusal that name a parameter, and the line of the recipe that does without it. The first that fits counts. */
const LINES: readonly (readonly [RegExp, (teacher: string) => string])[] = [
  // The server names first the limit that it refuses and then the one that it proposes.
  [/^(?:(?!\bmax_tokens\b)[\s\S])*\bmax_completion_tokens\b/i, (id) => `teachers.${id}.tokenLimit: max_tokens`],
  [/\bmax_tokens\b/i, (id) => `teachers.${id}.tokenLimit: max_completion_tokens`],
  [/\btop_?p\b/i, (id) => `teachers.${id}.omit: [top_p]`],
  [/\btemperature\b/i, (id) => `teachers.${id}.omit: [temperature]`],
  [/logprobs/i, () => 'a judge.mode other than expected'],
  [/response.?format|json.?schema|structured.?output|guided|grammar/i, (id) => `teachers.${id}.omit: [response_format]`],
  [/\bmetadata\b|\bstore\b/i, (id) => `teachers.${id}.store: false`],
];

/** What to do about a call without a reply. */
export function remedy(teacher: string, { kind, message }: RefusedCall): string {
  if (kind === 'again') return 'run the command again once the server answers';
  if (kind === 'final') return 'shorten prompts or replies, leave such prompts out, or name a teacher with a longer context';
  const line = LINES.find(([words]) => words.test(message))?.[1](teacher);
  return line === undefined
    ? `if it is a parameter that the server does not take, name it in teachers.${teacher}.omit; else mend the server`
    : `say in the recipe: ${line}`;
}

/** Refusals are for the user to mend, in the recipe or at the server; what failed otherwise may go well later. */
export function exitOf({ kind }: RefusedCall): ExitName {
  if (kind === 'again') return 'temporary';
  return kind === 'final' ? 'usage' : 'preflight';
}

/** No call of a kind is answered, or hardly any, so these calls stop and others go on. `count`: of how many calls `failure` is the latest. */
export class GaveUp extends ZephyrError {
  constructor({ teacher, purpose, step }: CallPurpose, failure: RefusedCall, count: string) {
    const what = `teacher "${teacher}" for "${purpose}"${step === undefined ? '' : ` in step ${step}`}`;
    super(`Stopped asking ${what}: ${count} got no reply, the latest ${failure.message}`, {
      exit: exitOf(failure),
      hint: `${remedy(teacher, failure)}; every answer that arrived is kept, and what got none is asked again`,
    });
  }
}
