import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallSession } from '../../../calls/session.ts';
import { type Amount, listsOf } from './lists.ts';
import { materialOpenings } from './material.ts';
import type { Kind, Opening, Settings } from './settings.ts';
import { elaborate } from './writing.ts';

/** How openings are made: the session to ask with, and the texts of the step. */
export interface Workbench {
  readonly session: CallSession;
  readonly settings: Settings;
  readonly template: (name: string) => Promise<string>;
  /** folder of the texts that exist, with material */
  readonly material: string | undefined;
  readonly count: (what: string, by?: number) => void;
}

export function templatesOf(files: string): Workbench['template'] {
  return async (name) => (await readFile(join(files, `templates/user-${name}.md`), 'utf8')).trim();
}

/** Different openings of a kind, so many as `Amount` says, in an order that does not depend on which reply came first. */
export async function openingsOf(bench: Workbench, kind: Kind, amount: Amount): Promise<readonly Opening[]> {
  switch (kind) {
    case 'world':
      return await worldOpenings(bench, amount);
    case 'writing':
      return await writingOpenings(bench, amount);
    case 'material':
      return await materialOpenings(bench, amount);
  }
}

/** Topics, their subtopics where asked for, questions on each. */
async function worldOpenings({ session, settings, template, count }: Workbench, amount: Amount): Promise<Opening[]> {
  const { user, world } = settings;
  if (world === null) return [];
  let subjects = world.topics;
  if (world.subtopics > 0) {
    const request = {
      user,
      purpose: 'subtopics',
      instructions: await template('subtopics'),
      ask: (topic: string) => `Topic: ${topic}\nSubtopics to name: ${world.subtopics}`,
      count: world.subtopics,
      what: 'subtopics',
    };
    // one list a topic: as many as come
    const { texts, unread } = await listsOf(session, request, world.topics, { least: 1, wanted: 1 });
    count('lists that could not be read', unread);
    subjects = texts.map(({ subject, text }) => `${subject}: ${text}`);
  }
  const request = {
    user,
    purpose: 'openings',
    instructions: await template('openings'),
    ask: (topic: string) => `Topic: ${topic}\nMessages to write: ${world.questions}`,
    count: world.questions,
    what: 'openings',
  };
  const { texts, unread } = await listsOf(session, request, subjects, amount);
  count('lists that could not be read', unread);
  return texts.map(({ subject, text }) => ({ kind: 'world', subject, text }));
}

/** Types of text, instructions for each, most of them made more detailed. */
async function writingOpenings(bench: Workbench, amount: Amount): Promise<Opening[]> {
  const { session, settings, template, count } = bench;
  const { user, writing } = settings;
  if (writing === null) return [];
  const request = {
    user,
    purpose: 'writing instructions',
    instructions: await template('writing'),
    ask: (type: string) => `Kind of text: ${type}\nInstructions to write: ${writing.instructions}`,
    count: writing.instructions,
    what: 'writing instructions',
  };
  const { texts, unread } = await listsOf(session, request, writing.types, amount);
  count('lists that could not be read', unread);
  return await elaborate(bench, texts);
}
