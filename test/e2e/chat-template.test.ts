import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { Template } from '@huggingface/jinja';
import { Environment } from 'minijinja-js';
import { missing, python } from '../rig/zephyr.ts';
import { baseFolder } from './tiny.ts';

const run = promisify(execFile);
const say = (role: string, content: string) => ({ role, content });

const DIALOGUES = [
  [say('user', 'Who is Mabyn?')],
  [say('system', ''), say('user', 'Who is Mabyn?')],
  [say('system', 'Be brief.'), say('user', 'One\n\ntwo '), say('assistant', 'Three.'), say('user', '{{ four }} {% five %}')],
  [say('user', `<|user|> "six" 'seven' <b>&amp;</b> \\n`), say('assistant', ' eight\n')],
];

/** What transformers makes of each dialogue, with and without the marker of an answer to come. */
const RENDER = `
import json, sys
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
dialogues = json.load(open(sys.argv[2]))
texts = [tokenizer.apply_chat_template(each, tokenize=False, add_generation_prompt=more) for each in dialogues for more in (False, True)]
print(json.dumps({"texts": texts, "template": tokenizer.chat_template, "bos": tokenizer.bos_token, "eos": tokenizer.eos_token}))
`;

test('the published chat template gives one text in Jinja, minijinja and @huggingface/jinja', { skip: missing() }, async () => {
  const folder = await baseFolder();
  const dialogues = join(folder, '..', 'dialogues.json');
  await writeFile(dialogues, JSON.stringify(DIALOGUES));
  const { stdout } = await run(python, ['-c', RENDER, folder, dialogues]);
  const { texts, template, bos, eos } = JSON.parse(stdout);
  assert.equal(template.includes('generation -'), false);
  assert.equal(template, await readFile(join(folder, 'chat_template.jinja'), 'utf8'));
  const inputs = DIALOGUES.flatMap((messages) =>
    [false, true].map((add_generation_prompt) => ({ messages, add_generation_prompt, bos_token: bos ?? '', eos_token: eos })),
  );
  const compiled = new Template(template);
  const environment = new Environment();
  // as transformers and the servers set theirs
  environment.trimBlocks = true;
  environment.lstripBlocks = true;
  environment.addTemplate('chat', template);
  for (const [index, input] of inputs.entries()) {
    assert.equal(compiled.render(input), texts[index], '@huggingface/jinja');
    assert.equal(environment.renderTemplate('chat', input), texts[index], 'minijinja');
  }
});
