import { hmacUniform } from '../../../base/hmac-choice.ts';
import { callOf } from '../../../calls/call-config.ts';
import { forEachAtOnce } from '../../../calls/for-each.ts';
import { isWhole } from './dialogue.ts';
import type { Written } from './lists.ts';
import type { Opening } from './settings.ts';
import type { Workbench } from './workbench.ts';

/** The user's teacher makes a part of the instructions, drawn by the seed, more detailed; one that it does not stays as it is. */
export async function elaborate(bench: Workbench, instructions: readonly Written[], after: number): Promise<Opening[]> {
  const { session, settings, template, count, unanswered } = bench;
  const share = settings.writing?.elaborated ?? 0;
  const system = await template('elaborate');
  const detailed = new Map<Written, string>();
  const drawn = instructions.filter(({ text }) => hmacUniform(settings.seed, 'elaborated', text) < share);
  session.expect(drawn.length + after);
  await forEachAtOnce(
    drawn,
    () => session.inHand,
    async (written) => {
      const call = callOf(settings.user, 'elaborated instruction', [
        { role: 'system', content: system },
        { role: 'user', content: `Kind of text: ${written.subject}\nInstruction: ${written.text}` },
      ]);
      const reply = unanswered.replyIn(call, await session.ask(call));
      const text = reply !== undefined && isWhole(reply) ? reply.text.trim() : '';
      if (text === '') count('instructions that stayed short');
      else detailed.set(written, text);
    },
  );
  return instructions.map((written) => ({
    kind: 'writing',
    subject: written.subject,
    text: detailed.get(written) ?? written.text,
  }));
}
