import { hmacUniform } from '../../../base/hmac-choice.ts';
import { callOf } from '../../../calls/call-config.ts';
import { forEachAtOnce } from '../../../calls/run-calls.ts';
import { isWhole } from './dialogue.ts';
import { type Lists, openLists, type Written } from './lists.ts';
import { materialOpenings } from './material.ts';
import type { DialogueKind, Opening } from './settings.ts';
import type { OpeningAmount, Openings, Workbench } from './workbench.ts';

export async function openOpenings(bench: Workbench, kind: DialogueKind): Promise<Openings> {
  switch (kind) {
    case 'world':
      return await worldOpenings(bench);
    case 'writing':
      return await writingOpenings(bench);
    case 'material':
      return await materialOpenings(bench);
  }
}

/** Topics, their subtopics where asked for, questions on each. */
async function worldOpenings(bench: Workbench): Promise<Openings> {
  const { settings, template } = bench;
  const { user, world } = settings;
  if (world === null) return async () => [];
  const questions = {
    user,
    purpose: 'openings',
    instructions: await template('openings'),
    ask: (topic: string) => `Topic: ${topic}\nMessages to write: ${world.questions}`,
    count: world.questions,
    what: 'openings',
  };
  const written = async (lists: Lists, amount: OpeningAmount) =>
    (await lists(amount)).map(({ subject, text }): Opening => ({ kind: 'world', subject, text }));
  if (world.subtopics === 0) {
    const lists = openLists(bench, questions, world.topics);
    return (amount) => written(lists, amount);
  }
  const naming = {
    user,
    purpose: 'subtopics',
    instructions: await template('subtopics'),
    ask: (topic: string) => `Topic: ${topic}\nSubtopics to name: ${world.subtopics}`,
    count: world.subtopics,
    what: 'subtopics',
  };
  const subtopics = openLists(bench, naming, world.topics);
  let lists: Lists | undefined;
  return async (amount) => {
    // one list a topic is enough
    const named = await subtopics({ least: 1, wanted: 1, after: amount.after });
    lists ??= openLists(
      bench,
      questions,
      named.map(({ subject, text }) => `${subject}: ${text}`),
    );
    return await written(lists, amount);
  };
}

/** Types of text, instructions for each, most of them made more detailed. */
async function writingOpenings(bench: Workbench): Promise<Openings> {
  const { settings, template } = bench;
  const { user, writing } = settings;
  if (writing === null) return async () => [];
  const request = {
    user,
    purpose: 'writing instructions',
    instructions: await template('writing'),
    ask: (type: string) => `Kind of text: ${type}\nInstructions to write: ${writing.instructions}`,
    count: writing.instructions,
    what: 'writing instructions',
  };
  const lists = openLists(bench, request, writing.types);
  const openings: Opening[] = [];
  return async (amount) => {
    const written = await lists(amount);
    openings.push(...(await elaborate(bench, written.slice(openings.length), amount.after)));
    return openings.slice();
  };
}

/** The user's teacher makes a part of the instructions, drawn by the seed, more detailed; one that it does not stays as it is. */
async function elaborate(bench: Workbench, instructions: readonly Written[], after: number): Promise<Opening[]> {
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
