import { ZephyrError } from '../errors.ts';
import type { Step } from '../stages/stage.ts';
import type { TeacherSpec } from '../teachers/spec.ts';

/** Refuses, before anything is spent, a call that its server would never admit: it would be waited for without end. */
export function refuseCalls(steps: readonly Step[], teachers: Readonly<Record<string, TeacherSpec>>): void {
  for (const { stage, name, calls } of steps) {
    for (const { teacher, purpose, inputTokens, outputTokens } of calls ?? []) {
      const limit = teachers[teacher]?.limits.tokensPerMinute;
      const tokens = Math.round(inputTokens + outputTokens);
      if (limit === undefined || tokens <= limit) continue;
      throw new ZephyrError(
        `Cannot plan ${stage}/${name}: a call "${purpose}" takes about ${tokens} tokens, teacher "${teacher}" admits ${limit} a minute`,
        { hint: `correct teachers.${teacher}.limits.tokensPerMinute, or ask for shorter replies with maxTokens` },
      );
    }
  }
}
