import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { escapeHtml, html } from '../../src/report/html.ts';

test('whatever a text holds, no markup comes of it', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const escaped = escapeHtml(text);
      assert.doesNotMatch(escaped, /[<>"']/);
      assert.doesNotMatch(escaped, /&(?!(amp|lt|gt|quot|#39);)/);
      assert.ok(escaped.isWellFormed());
    }),
  );
});

test('values of a template are escaped in text and attributes, markup is not escaped again', () => {
  const attack = '"><script>alert(1)</script>';
  const made = html`<a title="${attack}">${[html`<b>${attack}</b>`, html`<i>${7}</i>`]}${undefined}</a>`.html;
  const safe = '&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;';
  assert.equal(made, `<a title="${safe}"><b>${safe}</b><i>7</i></a>`);
});

test('characters that turn the direction of a text, or have no place in a page, are made visible', () => {
  assert.equal(escapeHtml('a\u202Eb\u0000c\u2066d\uD800e'), 'a\uFFFDb\uFFFDc\uFFFDd\uFFFDe');
  assert.equal(escapeHtml('tab\tline\nשלום 🙂'), 'tab\tline\nשלום 🙂');
});
