import type { ChatTurn, Outcome } from './talker.ts';

/** What was said so far with one model. */
export class ChatDialogue {
  readonly #system: readonly ChatTurn[];
  #turns: ChatTurn[] = [];

  /** Without a system text the turn that the model was trained with: an empty one, or none. */
  constructor(system: string | undefined, trained: 'empty' | 'none') {
    const content = system ?? (trained === 'empty' ? '' : undefined);
    this.#system = content === undefined ? [] : [{ role: 'system', content }];
  }

  with(question: string): ChatTurn[] {
    return [...this.#system, ...this.#turns, { role: 'user', content: question }];
  }

  /** What was answered is kept, an answer that was cut too; a question that got no answer is not. */
  keep(question: string, outcome: Outcome): void {
    if (!('text' in outcome) || outcome.text === '') return;
    this.#turns.push({ role: 'user', content: question }, { role: 'assistant', content: outcome.text });
  }

  /** Takes the last question and its answer away; false where there is none. */
  back(): boolean {
    const had = this.#turns.length > 0;
    this.#turns = this.#turns.slice(0, -2);
    return had;
  }

  clear(): void {
    this.#turns = [];
  }
}

/** What a reader must know of an answer beside its text, as a sentence; undefined of one that the model ended itself. */
export function remark(outcome: Outcome, maxTokens: number | null): string | undefined {
  switch (outcome.end) {
    case 'stop':
      return outcome.text === '' ? 'no answer: the model ended its turn at once' : undefined;
    case 'length':
      return `cut after ${outcome.tokens} tokens, as --max-tokens ${maxTokens} says`;
    case 'context':
      return `cut: the context of ${outcome.tokens + outcome.promptTokens} tokens is full`;
    case 'stopped':
      return 'stopped';
    case 'too-long':
      return `no answer: ${outcome.promptTokens} tokens leave no room in a context of ${outcome.context}; nothing was cut`;
    case 'refused':
      return `no answer: ${outcome.why}`;
  }
}
