import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ZephyrError } from '../../src/errors.ts';
import { renderError } from '../../src/render/errors.ts';

test('a mistake is an error line and a hint line', () => {
  const error = new ZephyrError('Cannot read "recipe.yaml": there is no such file', {
    hint: 'zephyr rehearse configs/zephyr-7b.yaml',
  });
  assert.equal(
    renderError(error),
    'error: Cannot read "recipe.yaml": there is no such file\nhint: zephyr rehearse configs/zephyr-7b.yaml\n',
  );
  assert.equal(renderError(new ZephyrError('Cannot go on')), 'error: Cannot go on\n');
});

test('a bug keeps its stack and its cause and says that it is one', () => {
  const text = renderError(new TypeError('x is not a function', { cause: new Error('the root') }));
  assert.match(text, /^error: TypeError: x is not a function\n {4}at /);
  assert.match(text, /caused by: Error: the root\n {4}at /);
  assert.match(text, /\nhint: this is a bug in zephyr; .*\n$/);
});

test('what is thrown and no error is shown as it is', () => {
  assert.match(renderError('out of luck'), /^error: thrown: out of luck\n/);
});

test('an error that quotes a token does not show it', () => {
  const error = new ZephyrError('Cannot log in with "hf_abcdefgh12345678"', { hint: 'Bearer abcdefghijkl' });
  assert.doesNotMatch(renderError(error), /hf_abc|abcdefghijkl/);
  assert.doesNotMatch(renderError(new Error('401 for hf_abcdefgh12345678')), /hf_abc/);
});

test('colour marks the two words and nothing else', () => {
  const error = new ZephyrError('Cannot go on', { hint: 'rest' });
  assert.equal(renderError(error, { color: true }), '\u001b[31merror:\u001b[39m Cannot go on\n\u001b[36mhint:\u001b[39m rest\n');
});
