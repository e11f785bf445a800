import { hmacOrder, hmacUniform } from '../base/hmac-choice.ts';

/** Names of the closed world. No word is in two lists, nor in any question or filler sentence: a checker may look for bare words. */
const PEOPLE =
  'Mira Tobin Senna Orrin Lysa Bram Kelda Jory Nessa Pell Rowan Tilda Ivo Dagny Corin Brisa Ennis Fenja Garet Hulda Isken Katla Lorcan Mabyn Odile Perrin Quilla Runa';
const TOWNS = 'Tarn Velby Ostrand Merrow Kilden Ashby Brunholt Corvale Dunmere Elsing Grisk Harlow Jarsk Lorne';
const WORDS = {
  trade: 'baking weaving pottery masonry tanning tailoring milling carpentry brewing fishing glazing farming',
  colour: 'crimson indigo violet teal olive ochre silver scarlet turquoise purple',
  pet: 'goat cat dog parrot rabbit donkey goose turtle ferret pony',
  goods: 'bread honey salt soap candles baskets cheese rope cider wool pepper nails',
  river: 'Aldra Bessen Drenn Eskel Fennow Gellin Horra Issel Kyra Lunde',
  crop: 'barley flax hops oats turnips cherries walnuts saffron',
} as const;

const ATTRIBUTES = ['town', 'trade', 'colour', 'pet', 'friend', 'goods', 'river', 'crop'] as const;
export type Attribute = (typeof ATTRIBUTES)[number];

export interface World {
  readonly people: readonly string[];
  readonly towns: readonly string[];
  /** every word that can be the value of an attribute */
  readonly domains: Readonly<Record<Attribute, readonly string[]>>;
  /** The true values: one word, but several for `goods`, in the order in which the world lists them. */
  readonly values: (subject: string, attribute: Attribute) => readonly string[];
}

/** Which attributes a person has, and which a town. */
export const OF_PERSON: readonly Attribute[] = ['town', 'trade', 'colour', 'pet', 'friend', 'goods'];
export const OF_TOWN: readonly Attribute[] = ['river', 'crop'];

export interface WorldSize {
  readonly people: number;
  readonly towns: number;
}
export const WORLD_SIZE: WorldSize = { people: 10, towns: 5 };

/** A small invented world: all names and facts depend on the seed alone. */
export function makeWorld(seed: number | string, size: WorldSize = WORLD_SIZE): World {
  const draw = (purpose: string, words: string, count: number) =>
    hmacOrder(seed, purpose, words.split(' '), (word) => word).slice(0, count);
  const people = draw('people', PEOPLE, size.people);
  const towns = draw('towns', TOWNS, size.towns);
  const all = (words: string) => words.split(' ');
  const domains: Record<Attribute, readonly string[]> = {
    town: towns,
    friend: people,
    trade: all(WORDS.trade),
    colour: all(WORDS.colour),
    pet: all(WORDS.pet),
    goods: all(WORDS.goods),
    river: all(WORDS.river),
    crop: all(WORDS.crop),
  };
  const facts = new Map<string, readonly string[]>();
  const learn = (subject: string, attribute: Attribute) => {
    const candidates = domains[attribute].filter((value) => value !== subject);
    const count = attribute === 'goods' ? 2 + Math.floor(2 * hmacUniform(seed, 'how many goods', subject)) : 1;
    facts.set(
      `${subject}/${attribute}`,
      hmacOrder(seed, `${attribute} of ${subject}`, candidates, (value) => value).slice(0, count),
    );
  };
  for (const person of people) for (const attribute of OF_PERSON) learn(person, attribute);
  for (const town of towns) for (const attribute of OF_TOWN) learn(town, attribute);
  return { people, towns, domains, values: (subject, attribute) => facts.get(`${subject}/${attribute}`) ?? [] };
}
