import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeQuestionBank, recognise } from '../../src/practice/question-bank.ts';
import { makeWorld, OF_PERSON, OF_TOWN } from '../../src/practice/world.ts';

const bank = makeQuestionBank(1);

test('the same seed makes the same world, another seed another one', () => {
  const facts = (seed: number) => {
    const world = makeWorld(seed);
    return [
      ...world.people.map((name) => OF_PERSON.map((attribute) => world.values(name, attribute))),
      ...world.towns.map((name) => OF_TOWN.map((attribute) => world.values(name, attribute))),
    ];
  };
  assert.deepEqual(facts(1), facts(1));
  assert.notDeepEqual(facts(1), facts(2));
});

test('every fact has values of its domain, and nobody is their own friend', () => {
  const { world } = bank;
  for (const person of world.people) {
    for (const attribute of OF_PERSON) {
      const values = world.values(person, attribute);
      assert.ok(values.length > 0 && values.every((value) => world.domains[attribute].includes(value)));
    }
    assert.ok(!world.values(person, 'friend').includes(person));
  }
});

test('no word is a value of two attributes, so that a checker may look for bare words', () => {
  const { town, friend, ...others } = bank.world.domains;
  const words = [...town, ...friend, ...Object.values(others).flat()];
  assert.equal(new Set(words).size, words.length);
});

test('every wording is recognised by its text', () => {
  assert.equal(bank.byText.size, bank.phrasings.length);
  for (const { text, question } of bank.phrasings) assert.deepEqual(recognise(bank, { system: '', user: [text] }), question);
});

test('one of six wordings of a question is held out, under every demand', () => {
  const bySubject = Map.groupBy(
    bank.phrasings,
    ({ question: { subject, attribute, task } }) => `${subject} ${attribute} ${task}`,
  );
  for (const phrasings of bySubject.values())
    assert.equal(phrasings.filter(({ heldOut }) => heldOut).length * 6, phrasings.length);
});

test('a follow-up takes its subject from the turns before', () => {
  const [name] = bank.world.people as [string];
  const asked = recognise(bank, { system: '', user: [`Where does ${name} live?`, 'And what is their trade?'] });
  assert.deepEqual(asked, bank.ask(name, 'trade', 'fact', 'none'));
  assert.equal(recognise(bank, { system: '', user: ['And what is their trade?'] }), undefined);
});

test('a follow-up about a town does not fit a person', () => {
  const [name] = bank.world.people as [string];
  assert.equal(recognise(bank, { system: '', user: [`Where does ${name} live?`, 'And on which river does it lie?'] }), undefined);
});

test('a demand in the system turn counts where the question makes none', () => {
  const [name] = bank.world.people as [string];
  const inSystem = (text: string) =>
    recognise(bank, { system: 'Be kind. Begin with Answer: and give one word.', user: [text] })?.demand;
  assert.equal(inSystem(`Where does ${name} live?`), 'word');
  assert.equal(inSystem(`Where does ${name} live? Answer in a full sentence.`), 'sentence');
});

test('anything else is not a question of the world', () => {
  for (const text of ['', 'Where does Nobody live?', 'What is 2 + 2?'])
    assert.equal(recognise(bank, { system: '', user: [text] }), undefined);
});
