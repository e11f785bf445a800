import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readSplit } from '../../../../src/datasets/rows.ts';
import { passPairs } from '../../../../src/stages/aif/pairs/pass-pairs.ts';
import { promptId } from '../../../../src/stages/step-config.ts';
import { openWorkshop } from '../../../rig/task.ts';

const shop = await openWorkshop();
after(() => shop.close());
const PASS = { version: 3, train: 'train', test: null, rows: null };

const turns = (asked: string, said: string) => [
  { role: 'user', content: asked },
  { role: 'assistant', content: said },
];
const beds = Array.from({ length: 8 }, (_, bed) => ({
  asked: `Which soil suits bed ${bed}?`,
  good: `Loam, bed ${bed}.`,
  bad: 'No idea.',
}));

/** Pairs as people have them; each holds the same eight. */
const SHAPES: Readonly<Record<string, readonly unknown[]>> = {
  'texts beside a prompt': beds.map(({ asked, good, bad }) => ({ prompt: asked, chosen: good, rejected: bad })),
  'texts beside a question': beds.map(({ asked, good, bad }) => ({ system: '', question: asked, chosen: good, rejected: bad })),
  'whole dialogues without a prompt': beds.map(({ asked, good, bad }) => ({
    chosen: turns(asked, good),
    rejected: turns(asked, bad),
  })),
  'turns beside a prompt of turns': beds.map(({ asked, good, bad }) => ({
    prompt: turns(asked, '').slice(0, 1),
    chosen: turns('', good).slice(1),
    rejected: turns('', bad).slice(1),
  })),
  ShareGPT: beds.map(({ asked, good, bad }) => ({
    conversations: [{ from: 'human', value: asked }],
    chosen: { from: 'gpt', value: good },
    rejected: { from: 'gpt', value: bad },
  })),
  'JSON text': beds.map(({ asked, good, bad }) => ({
    chosen: JSON.stringify(turns(asked, good)),
    rejected: JSON.stringify(turns(asked, bad)),
  })),
  'parts of a content': beds.map(({ asked, good, bad }) => ({
    chosen: turns(asked, good).map(({ role, content }) => ({ role, content: [{ type: 'text', text: content }] })),
    rejected: [{ role: 'system', content: null }, ...turns(asked, bad)],
  })),
};

test('a system prompt in a column of its own begins both dialogues, where they have none', async () => {
  const brief = { role: 'system', content: 'Be brief.' };
  const rows = beds.flatMap(({ asked, good, bad }, bed) =>
    [
      { system: 'Be brief.', question: asked, chosen: good, rejected: bad },
      { system_prompt: 'Be brief.', chosen: turns(asked, good), rejected: turns(asked, bad) },
      { system: 'Be long.', chosen: [brief, ...turns(asked, good)], rejected: [brief, ...turns(asked, bad)] },
    ].slice(bed % 3, (bed % 3) + 1),
  );
  const { out } = await shop.run('system', passPairs, PASS, { pairs: await folderOf(lines(rows)) });
  const made: unknown[] = [];
  for await (const { chosen, rejected } of readSplit(out, { split: 'train_prefs' })) made.push([chosen, rejected]);
  const expected = beds.map(({ asked, good, bad }) => [
    [brief, ...turns(asked, good)],
    [brief, ...turns(asked, bad)],
  ]);
  assert.deepEqual(made, expected);
});

test('data without pairs is refused with the columns that it has', async () => {
  const rows = beds.map(({ asked, good, bad }) => ({ history: asked, answer_a: good, answer_b: bad }));
  await assert.rejects(shop.run('none', passPairs, PASS, { pairs: await folderOf(lines(rows)) }), {
    message: /8 of 8 rows cannot be used \(8 no pair of answers\).*expected prompt \(or question\), chosen and rejected/,
    hint: 'its columns are history, answer_a, answer_b',
  });
});

let folders = 0;
async function folderOf(text: string): Promise<string> {
  folders += 1;
  const folder = join(shop.folder, `shape-${folders}`);
  await mkdir(folder);
  await writeFile(join(folder, 'train.jsonl'), text);
  return folder;
}
const lines = (rows: readonly unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

for (const [name, rows] of Object.entries(SHAPES))
  test(`pairs as ${name} become those of ultrafeedback_binarized`, async () => {
    const { out, metrics } = await shop.run('s', passPairs, PASS, { pairs: await folderOf(lines(rows)) });
    assert.deepEqual(metrics, { train_prefs: 8, oddities: {} });
    const made: unknown[] = [];
    for await (const row of readSplit(out, { split: 'train_prefs' })) made.push(row);
    const message = (role: string, content: string) => ({ content, role });
    assert.deepEqual(
      made,
      beds.map(({ asked, good, bad }) => ({
        prompt: asked,
        prompt_id: promptId(asked),
        chosen: [message('user', asked), message('assistant', good)],
        rejected: [message('user', asked), message('assistant', bad)],
        score_chosen: null,
        score_rejected: null,
      })),
    );
  });

const USELESS: Readonly<Record<string, readonly [row: unknown, reason: string]>> = {
  'text without a prompt': [{ chosen: 'a', rejected: 'b' }, 'answers of text without a prompt'],
  'other prompts': [{ chosen: turns('a', 'x'), rejected: turns('b', 'y') }, 'different prompts'],
  'a last turn of the user': [{ chosen: turns('a', 'x').slice(0, 1), rejected: turns('a', 'y') }, 'ends with a user turn'],
  'a picture': [
    { prompt: 'a', chosen: [{ role: 'assistant', content: [{ type: 'image', url: 'x' }] }], rejected: 'y' },
    'a turn whose content is no text',
  ],
  'a tool': [
    { chosen: [...turns('a', 'x'), { role: 'tool', content: '1' }], rejected: turns('a', 'y') },
    'a turn of the role "tool"',
  ],
  'no turn': [{ prompt: 'a', chosen: [], rejected: 'y' }, 'no turns'],
  'no text': [{ prompt: 'a', chosen: '', rejected: 'y' }, 'a turn without text'],
  'no list': [{ prompt: 'a', chosen: 7, rejected: 'y' }, 'no list of messages'],
  'unequal columns': [
    { chosen: { role: ['user'], content: ['a', 'x'] }, rejected: turns('a', 'y') },
    'roles and texts of different numbers',
  ],
};
for (const [name, [row, reason]] of Object.entries(USELESS))
  test(`a pair of ${name} is left out, and told by its reason`, async () => {
    const text = lines([...(SHAPES['texts beside a prompt'] ?? []), row]);
    const pairs = await folderOf(text);
    await assert.rejects(shop.run('s', passPairs, PASS, { pairs }), { exit: 'usage', message: /1 of 9 rows cannot be used/ });
    const { metrics, notes } = await shop.run('s', passPairs, { ...PASS, max_dropped: 0.2 }, { pairs });
    assert.deepEqual(metrics, { train_prefs: 8, dropped: { train_prefs: { [reason]: 1 } }, oddities: {} });
    assert.deepEqual(notes, [`1 of 9 rows of split "train" of the pairs cannot be used and are left out: 1 ${reason}`]);
  });

test('a pair in a struct of lists, as datasets made of lists of structs for long, is read', async () => {
  const zipped = (said: string) => ({ role: ['user', 'assistant'], content: ['a', said] });
  const { metrics } = await shop.run('s', passPairs, PASS, {
    pairs: await folderOf(lines([{ chosen: zipped('x'), rejected: zipped('y') }])),
  });
  assert.deepEqual(metrics, { train_prefs: 1, oddities: {} });
});
