import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { Foot, fitted, printable, sideBySide } from '../../src/chat/columns.ts';
import { loadWidths, textWidth } from '../../src/render/text-width.ts';

before(async () => await loadWidths());

test('no control character of a model reaches the terminal', () => {
  assert.equal(printable('a\u001B[31mred\r\u0007\u009Bb\n\tc'), 'a[31mredb\n    c');
});

test('lines fit the width and lose nothing but the spaces where they break', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', 'ß', '語', ' ', '\n', '🙂') }),
      fc.integer({ min: 2, max: 20 }),
      (text, width) => {
        const lines = fitted(text, width);
        assert.ok(lines.every((line) => textWidth(line) <= width));
        assert.equal(lines.join('').replaceAll(/\s/g, ''), text.replaceAll(/\s/g, ''));
      },
    ),
  );
});

test('two answers stand beside each other at 80 columns, wide letters too', () => {
  const { rows } = sideBySide({ text: '語語 one\ntwo', isOver: true }, { text: 'three', isOver: true }, 79);
  assert.deepEqual(rows, [`語語 one${' '.repeat(30)} │ three`, `two${' '.repeat(35)} │`]);
  assert.ok(rows.every((row) => textWidth(row) < 80));
});

/** What a terminal of so many rows shows and has scrolled away after these writes: only "up" and "clear below" are known. */
function screen(writes: readonly string[], height: number): string[] {
  const lines = [''];
  for (const write of writes)
    for (const part of write.replaceAll('\u001B', '␛').split(/(␛\[\d+A|\r␛\[J|\n)/)) {
      const up = /^␛\[(\d+)A$/.exec(part)?.[1];
      if (up !== undefined) {
        assert.ok(Number(up) < height, 'nothing above the screen can be reached');
        lines.splice(lines.length - Number(up), Number(up));
        lines[lines.length - 1] = '';
      } else if (part === '\n') lines.push('');
      else if (!part.startsWith('\r')) lines[lines.length - 1] += part;
    }
  return lines;
}

test('what was drawn piece by piece is in the end what both models said, on a low screen too', () => {
  const word = fc.constantFrom('a', 'bcd ', 'efghij ', '\n', 'a-word-that-is-longer-than-its-column ');
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), word)), fc.integer({ min: 4, max: 12 }), (pieces, height) => {
      const writes: string[] = [];
      const foot = new Foot((text) => writes.push(text), height);
      const sides = [
        { text: '', isOver: false },
        { text: '', isOver: false },
      ] as const;
      const draw = () => foot.draw(sideBySide(sides[0], sides[1], 40));
      const mutable = sides as unknown as { text: string; isOver: boolean }[];
      for (const [first, piece] of pieces) {
        (mutable[first ? 0 : 1] as { text: string }).text += piece;
        draw();
      }
      for (const side of mutable) {
        side.isOver = true;
        draw();
      }
      assert.deepEqual(screen(writes, height).slice(0, -1), sideBySide(sides[0], sides[1], 40).rows);
    }),
  );
});
