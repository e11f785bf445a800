// 80 questions of two turns in the shape of MT-Bench: eight categories of ten, each with the temperature that it is asked at.

const THINGS = [
  'a lighthouse',
  'a bakery',
  'a night train',
  'a chess club',
  'a river',
  'an old clock',
  'a garden',
  'a map',
  'a choir',
  'a storm',
];
/** Temperature and the two turns about thing number `n`. */
const CATEGORIES = {
  writing: [0.7, (thing) => [`Write two lines about ${thing}.`, 'Now end each line with the same letter.']],
  roleplay: [0.7, (thing) => [`Speak as the keeper of ${thing}.`, 'What do you fear the most?']],
  reasoning: [0, (thing, n) => [`Ann is ${n + 3} and twice as old as ${thing}. Who is older?`, 'And in one year?']],
  math: [0, (_, n) => [`What is ${n + 12} plus ${3 * n + 7}?`, 'Now take 5 from that.']],
  coding: [0, (_, n) => [`Sort the numbers ${n + 4}, ${9 - n} and 7.`, 'Now from the largest down.']],
  extraction: [0, (thing, n) => [`Name the number: "We saw ${thing} at ${n + 1}."`, 'Name the thing as well.']],
  stem: [0.1, (thing) => [`How is heat lost by ${thing}?`, 'Which way of these is the slowest?']],
  humanities: [0.1, (thing) => [`Why did people once need ${thing}?`, 'Do they still need it today?']],
};

export const questions = Object.entries(CATEGORIES).flatMap(([category, [temperature, turnsOf]]) =>
  THINGS.map((thing, number) => ({ id: `${category}-${number}`, temperature, turns: turnsOf(thing, number) })),
);
