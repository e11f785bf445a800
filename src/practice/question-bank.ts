import { hmacUniform } from '../base/hmac-choice.ts';
import { DEMANDS, type Demand, FOLLOW_UPS, type QuestionTask, TOPICS, WORDINGS } from './wordings.ts';
import { type Attribute, makeWorld, OF_PERSON, OF_TOWN, WORLD_SIZE, type World, type WorldSize } from './world.ts';

/** What is asked, apart from the words in which it is asked. */
export interface WorldQuestion {
  readonly subject: string;
  readonly attribute: Attribute;
  readonly task: QuestionTask;
  readonly demand: Demand;
  /** what a right answer says, in the order in which it has to be said */
  readonly values: readonly string[];
}

export interface Phrasing {
  readonly question: WorldQuestion;
  readonly text: string;
  /** never to be trained on: the wording was set aside for this subject and task, under every demand */
  readonly heldOut: boolean;
}

/** A question without a name: it goes on about the subject of the turn before. */
export interface FollowUp {
  readonly attribute: Attribute;
  readonly task: QuestionTask;
  readonly demand: Demand;
  readonly wording: number;
}

export interface QuestionBank {
  readonly world: World;
  readonly phrasings: readonly Phrasing[];
  readonly byText: ReadonlyMap<string, Phrasing>;
  readonly followUps: ReadonlyMap<string, FollowUp>;
  readonly followUpHeldOut: (subject: string, followUp: FollowUp) => boolean;
  readonly ask: (subject: string, attribute: Attribute, task: QuestionTask, demand: Demand) => WorldQuestion;
}

const NUMBERS = ['zero', 'one', 'two', 'three', 'four', 'five'] as const;

/** All questions about the world of this seed in all their wordings; one of six wordings of each is held out. */
export function makeQuestionBank(seed: number | string, size: WorldSize = WORLD_SIZE): QuestionBank {
  const world = makeWorld(seed, size);
  const ask: QuestionBank['ask'] = (subject, attribute, task, demand) => ({
    subject,
    attribute,
    task,
    demand,
    values: truth(world, subject, attribute, task),
  });
  const setAside = (purpose: string, item: string, among: number) => Math.floor(among * hmacUniform(seed, purpose, item));
  const phrasings: Phrasing[] = [];
  for (const { attribute, task, subjects, demands } of topics(world)) {
    const wordings = WORDINGS[`${attribute}/${task}`] ?? [];
    for (const subject of subjects) {
      const heldOut = setAside('held-out wording', `${subject}/${attribute}/${task}`, wordings.length);
      wordings.forEach((wording, index) => {
        for (const demand of demands) {
          const question = ask(subject, attribute, task, demand);
          for (const text of phrase(wording.replaceAll('{}', subject), demand))
            phrasings.push({ question, text, heldOut: index === heldOut });
        }
      });
    }
  }
  const followUps = new Map<string, FollowUp>();
  for (const { attribute, task, demands } of topics(world)) {
    (FOLLOW_UPS[`${attribute}/${task}`] ?? []).forEach((text, wording) => {
      for (const demand of demands)
        for (const full of phrase(text, demand)) followUps.set(full, { attribute, task, demand, wording });
    });
  }
  return {
    world,
    phrasings,
    byText: new Map(phrasings.map((phrasing) => [phrasing.text, phrasing])),
    followUps,
    followUpHeldOut: (subject, { attribute, task, wording }) =>
      wording ===
      setAside('held-out follow-up', `${subject}/${attribute}/${task}`, (FOLLOW_UPS[`${attribute}/${task}`] ?? []).length),
    ask,
  };
}

function topics(world: World) {
  return TOPICS.map((topic) => ({ ...topic, subjects: OF_TOWN.includes(topic.attribute) ? world.towns : world.people }));
}

function truth(world: World, subject: string, attribute: Attribute, task: QuestionTask): readonly string[] {
  const values = world.values(subject, attribute);
  if (task === 'sort') return [...values].sort();
  if (task === 'count') return [NUMBERS[values.length] ?? String(values.length)];
  return values;
}

function phrase(wording: string, demand: Demand): string[] {
  return DEMANDS[demand].map((frame) => frame.replace('{}', wording));
}

/** The turns of a conversation that a reader can use: what the user said, oldest first, and what a system turn demands. */
export interface Heard {
  readonly system: string;
  readonly user: readonly string[];
}

/**
 * The question that the last user turn asks, found by its text; a follow-up takes its subject from the turns before. A
 * demand in the system turn counts where the question makes none. `undefined`: not a question of this world.
 */
export function recognise(bank: QuestionBank, { system, user }: Heard): WorldQuestion | undefined {
  let subject: string | undefined;
  let question: WorldQuestion | undefined;
  for (const turn of user) {
    const text = turn.trim();
    const followUp = bank.followUps.get(text);
    question =
      followUp === undefined ? (bank.byText.get(text)?.question ?? findInLines(bank, text)) : followed(bank, subject, followUp);
    subject = question?.subject ?? subject;
  }
  if (question === undefined || question.demand !== 'none' || system === '') return question;
  const demand = demandIn(system);
  const topic = TOPICS.find((entry) => entry.attribute === question.attribute && entry.task === question.task);
  return demand !== undefined && topic?.demands.includes(demand) ? { ...question, demand } : question;
}

/** What the follow-up asks about this subject; `undefined` where the subject has no such attribute. */
function followed({ world, ask }: QuestionBank, subject: string | undefined, followUp: FollowUp): WorldQuestion | undefined {
  const { attribute, task, demand } = followUp;
  const fits = subject !== undefined && (OF_PERSON.includes(attribute) ? world.people : world.towns).includes(subject);
  return fits ? ask(subject, attribute, task, demand) : undefined;
}

/** The questions that stand on lines of their own in a text, `User: ` or the like before them or not. */
export function questionLines(bank: QuestionBank, text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const whole = line.trim();
    const found = [whole, whole.slice(whole.indexOf(': ') + 1).trim()].find(
      (words) => bank.byText.has(words) || bank.followUps.has(words),
    );
    return found === undefined ? [] : [found];
  });
}

function findInLines(bank: QuestionBank, text: string): WorldQuestion | undefined {
  const last = text.includes('\n') ? questionLines(bank, text).at(-1) : undefined;
  return last === undefined ? undefined : bank.byText.get(last)?.question;
}

function demandIn(system: string): Demand | undefined {
  return (Object.keys(DEMANDS) as Demand[]).find(
    (demand) => demand !== 'none' && DEMANDS[demand].some((frame) => system.includes(frame.replace('{}', '').trim())),
  );
}
