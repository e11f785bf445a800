import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonIn } from '../../src/teachers/json-reply.ts';

const JUDGEMENT = { ratings: [{ label: 'A', rationale: 'Use ```json\n{"x": 1}\n``` or ~~~.', rating: 4 }] };
const compact = JSON.stringify(JUDGEMENT);
const lines = JSON.stringify(JUDGEMENT, undefined, 2);
const valueIn = (reply: string) => jsonIn(reply)?.value;

const READ = {
  'as it is': compact,
  'after a byte order mark, with blanks around': `\uFEFF\n ${lines} \n\n`,
  'in a fence that names the language': `\`\`\`json\n${lines}\n\`\`\``,
  'in a fence that names none': `\`\`\`\n${compact}\n\`\`\`\n`,
  'in a fence of capitals': `\n\n\`\`\`JSON\n${compact}\n\`\`\`\n`,
  'in a fence for JSON5 whose text is JSON': `\`\`\`json5\r\n${compact}\r\n\`\`\`\r\n`,
  'in a fence of tildes': `~~~json\n${compact}\n~~~`,
  'in a longer fence': `\`\`\`\`\n${compact}\n\`\`\`\``,
  'in a fence on one line': `\`\`\`json ${compact} \`\`\``,
  'in a fence with words around it': `Here are my ratings:\n\n\`\`\`json\n${lines}\n\`\`\`\nLet me know if you need more.`,
  'after thoughts': `<think>\nA says {"ratings": []}, so \`\`\`4\`\`\`.\n</think>\n\n${compact}`,
  'in a fence after thoughts': `<think></think>\n\`\`\`json\n${compact}\n\`\`\``,
  'after thoughts that the chat template began': `A is better.\n</think>\n${compact}`,
};
for (const [how, reply] of Object.entries(READ))
  test(`a JSON text is read ${how}`, () => {
    assert.deepEqual(valueIn(reply), JUDGEMENT);
  });

const UNREAD = {
  'two fences': `\`\`\`json\n${compact}\n\`\`\`\n\`\`\`json\n${compact}\n\`\`\``,
  'two fences, the first of words': `\`\`\`\nmy thoughts\n\`\`\`\n\`\`\`json\n${compact}\n\`\`\``,
  'an object after the JSON': `${compact}\n{"ratings":[]}`,
  'an object after the fence': `\`\`\`json\n${compact}\n\`\`\`\n{"ratings":[]}`,
  'an object before the fence': `Like {"ratings":[]}:\n\`\`\`json\n${compact}\n\`\`\``,
  'words before an object without a fence': `Here you are: ${compact}`,
  'a fence that is not closed': `\`\`\`json\n${compact}`,
  'a fence that is closed by another': `\`\`\`json\n${compact}\n~~~`,
  'a text that is cut off in its fence': `\`\`\`json\n${compact.slice(0, -2)}\n\`\`\``,
  'thoughts without an end': `<think>\n${compact}`,
  JSON5: '```json5\n{ratings: [],}\n```',
  nothing: ' \n',
};
for (const [what, reply] of Object.entries(UNREAD))
  test(`nothing is guessed from ${what}`, () => {
    assert.equal(jsonIn(reply), undefined);
  });

test('whatever an object holds, it is read as it is, in a fence and after thoughts', () =>
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.constantFrom('```', '~~~', '`````'), (object, fence) => {
      const json = JSON.stringify(object);
      const value = JSON.parse(json) as unknown;
      assert.deepEqual(valueIn(json), value);
      assert.deepEqual(valueIn(`<think>so</think>${fence}json\n${json}\n${fence}`), value);
      // Its own text may hold what ends a fence, never a line that does.
      assert.equal(jsonIn(`${fence}\n${json}\n${fence}\n${fence}\n${json}\n${fence}`), undefined);
    }),
  ));
