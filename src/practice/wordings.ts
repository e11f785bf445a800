import type { Attribute } from './world.ts';

/** `fact`: say the value; `list`: say all values; `sort`: say them in alphabetical order; `count`: say how many. */
export type QuestionTask = 'fact' | 'list' | 'sort' | 'count';
/** The form that an answer has to take. */
export type Demand = 'none' | 'word' | 'sentence' | 'commas' | 'numbers';

/** How a demand is put; `{}` is the question. */
export const DEMANDS: Readonly<Record<Demand, readonly string[]>> = {
  none: ['{}'],
  word: ['{} Begin with Answer: and give one word.', 'With Answer: and one word: {}'],
  sentence: ['{} Answer in a full sentence.', 'In a complete sentence: {}'],
  commas: ['{} Begin with Answer: and put commas between them.', 'With Answer: and commas: {}'],
  numbers: ['{} Give a numbered list.', 'As a numbered list: {}'],
};

const FACT: readonly Demand[] = ['none', 'word', 'sentence'];

/** What can be asked, and in which forms. */
export const TOPICS: readonly {
  readonly attribute: Attribute;
  readonly task: QuestionTask;
  readonly demands: readonly Demand[];
}[] = [
  { attribute: 'town', task: 'fact', demands: FACT },
  { attribute: 'trade', task: 'fact', demands: FACT },
  { attribute: 'colour', task: 'fact', demands: FACT },
  { attribute: 'pet', task: 'fact', demands: FACT },
  { attribute: 'friend', task: 'fact', demands: FACT },
  { attribute: 'river', task: 'fact', demands: FACT },
  { attribute: 'crop', task: 'fact', demands: FACT },
  { attribute: 'goods', task: 'list', demands: ['commas', 'numbers'] },
  { attribute: 'goods', task: 'sort', demands: ['commas'] },
  { attribute: 'goods', task: 'count', demands: FACT },
];

/** Six wordings of each question; `{}` is the subject. */
export const WORDINGS: Readonly<Record<string, readonly string[]>> = {
  'town/fact': [
    'Where does {} live?',
    'In which town does {} live?',
    'Which town is the home of {}?',
    'What is the home town of {}?',
    'Tell me where {} lives.',
    'Name the town where {} lives.',
  ],
  'trade/fact': [
    'What is the trade of {}?',
    'What does {} do for a living?',
    'Which trade does {} follow?',
    'How does {} earn a living?',
    'Tell me by what trade {} lives.',
    'Name the trade of {}.',
  ],
  'colour/fact': [
    'Which colour does {} like best?',
    'What is the favourite colour of {}?',
    'What colour does {} prefer?',
    'Which colour is the favourite of {}?',
    'Tell me the favourite colour of {}.',
    'Name the colour that {} likes best.',
  ],
  'pet/fact': [
    'Which animal does {} keep?',
    'What animal does {} have at home?',
    'What pet does {} keep?',
    'Which pet lives with {}?',
    'Tell me which animal {} keeps.',
    'Name the pet of {}.',
  ],
  'friend/fact': [
    'Who is the best friend of {}?',
    'Who is the closest friend of {}?',
    'Which person is the best friend of {}?',
    'Whom does {} call a best friend?',
    'Tell me who the best friend of {} is.',
    'Name the best friend of {}.',
  ],
  'river/fact': [
    'On which river does {} lie?',
    'Which river flows through {}?',
    'What is the river of {} called?',
    'What river runs past {}?',
    'Tell me the river of {}.',
    'Name the river on which {} lies.',
  ],
  'crop/fact': [
    'What do the farms around {} grow?',
    'Which crop is grown around {}?',
    'What grows in the fields of {}?',
    'Which crop is {} known for?',
    'Tell me what is grown around {}.',
    'Name the crop of {}.',
  ],
  'goods/list': [
    'What does {} sell?',
    'Which goods does {} sell?',
    'What can I buy from {}?',
    'What is for sale at the stall of {}?',
    'Tell me what {} sells.',
    'List the goods that {} sells.',
  ],
  'goods/sort': [
    'Sort the goods that {} sells.',
    'What does {} sell, in alphabetical order?',
    'List the goods of {} from A to Z.',
    'Which goods does {} sell, sorted by name?',
    'Put the goods of {} in alphabetical order.',
    'Name what {} sells, sorted from A to Z.',
  ],
  'goods/count': [
    'How many goods does {} sell?',
    'How many kinds of goods are at the stall of {}?',
    'What is the number of goods that {} sells?',
    'Count the goods that {} sells.',
    'Tell me how many goods {} has for sale.',
    'How many things can I buy from {}?',
  ],
};

/** Three wordings of each question that do not name its subject. */
export const FOLLOW_UPS: Readonly<Record<string, readonly string[]>> = {
  'town/fact': ['And where is their home?', 'In which town do they live?', 'Where do they live, then?'],
  'trade/fact': ['And what is their trade?', 'What do they do for a living?', 'Which trade do they follow, then?'],
  'colour/fact': ['And what is their favourite colour?', 'Which colour do they like best?', 'What colour do they prefer, then?'],
  'pet/fact': ['And what is their pet?', 'Which animal do they keep?', 'What pet do they keep, then?'],
  'friend/fact': ['And who is their best friend?', 'Who is the closest friend they have?', 'Who is their best friend, then?'],
  'goods/list': ['And what do they sell?', 'Which goods do they sell?', 'What can I buy from them, then?'],
  'goods/count': ['And how many goods do they sell?', 'How many things do they have for sale?', 'How many goods are that, then?'],
  'river/fact': ['And on which river does it lie?', 'Which river flows through that town?', 'What is its river called, then?'],
  'crop/fact': ['And what do the farms there grow?', 'Which crop is grown around that town?', 'What grows in its fields, then?'],
};

/** A whole sentence that says the values. */
export function sentence(attribute: Attribute, task: QuestionTask, subject: string, values: readonly string[]): string {
  const value = values.length > 1 ? `${values.slice(0, -1).join(', ')} and ${values.at(-1)}` : (values[0] ?? '');
  if (task === 'count') return `The number of goods that ${subject} sells is ${value}.`;
  switch (attribute) {
    case 'town':
      return `The home of ${subject} is ${value}.`;
    case 'trade':
      return `The trade of ${subject} is ${value}.`;
    case 'colour':
      return `The favourite colour of ${subject} is ${value}.`;
    case 'pet':
      return `The pet of ${subject} is a ${value}.`;
    case 'friend':
      return `The best friend of ${subject} is ${value}.`;
    case 'river':
      return `The river of ${subject} is the ${value}.`;
    case 'crop':
      return `The crop of ${subject} is ${value}.`;
    case 'goods':
      return `The goods of ${subject} are ${value}.`;
  }
}
