import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeLines } from '../../src/datasets/line-file.ts';
import { readRows } from '../../src/datasets/rows.ts';
import { BASELINES, FOLDER } from '../../src/stages/eval/arena-hard/config.ts';
import { writeScored } from '../../src/stages/eval/scored.ts';
import { folderWith } from './answering.ts';
import type { Workshop } from './task.ts';

/** Two answers to each prompt as a judge of AlpacaEval is asked about them, in both versions. */
export async function pairsOf(prompts: string): Promise<object[]> {
  const pairs: object[] = [];
  for await (const { prompt_id: id, prompt } of readRows(join(prompts, 'prompts.jsonl')))
    for (const [version, name] of [
      [1, 'answer'],
      [2, 'output'],
    ] as const) {
      const texts = ['Nobody knows.', `You ask "${prompt}".`].map((text) => `"${name}": """${text}"""`).join('\n');
      const content = `"instruction": """${prompt}"""\n${texts}`;
      pairs.push({ id, version, model: '', messages: [{ role: 'user', content }] });
    }
  return pairs;
}

/** A folder as the task `mt-bench-data` would leave it, with questions and judge prompts of our own. */
export async function questionsOfTwoTurns(shop: Workshop, list: readonly string[]): Promise<string> {
  const asked = list.map((text, index) => ({ question_id: 81 + index, category: 'writing', turns: [text, 'And why?'] }));
  const told = 'Grade it as "[[rating]]".';
  const template = (name: string, text: string) => ({ name, system_prompt: told, prompt_template: text });
  return folderWith(shop, {
    'questions.jsonl': asked,
    'judge_prompts.jsonl': [
      template(
        'single-v1',
        "[Question]\n{question}\n\n[The Start of Assistant's Answer]\n{answer}\n[The End of Assistant's Answer]",
      ),
      template(
        'single-v1-multi-turn',
        '### User:\n{question_1}\n\n### Assistant A:\n{answer_1}\n\n### User:\n{question_2}\n\n### Assistant A:\n{answer_2}',
      ),
    ],
    'references.jsonl': [],
    'prompts.jsonl': asked.map(({ question_id, turns: [first, second] }) => ({
      prompt_id: String(question_id),
      prompt: first,
      followups: [second],
      temperature: 0.7,
    })),
  });
}

/** A dataset with the files of Arena-Hard, with prompts of our own, of which every third asks for a story. */
export async function arenaFolder(shop: Workshop, list: readonly string[]): Promise<string> {
  const folder = await folderWith(shop, {});
  const asked = list.map((prompt, index) => {
    return { uid: `u${index}`, category: index % 3 === 2 ? 'creative_writing' : 'hard_prompt', subcategory: 'made', prompt };
  });
  await mkdir(join(folder, FOLDER, 'model_answer'), { recursive: true });
  await writeLines(join(folder, FOLDER, 'question.jsonl'), asked);
  for (const [category, model] of Object.entries(BASELINES)) {
    const answers = asked
      .filter((row) => row.category === category)
      .map(({ uid, prompt }) => ({
        uid,
        messages: [
          { role: 'user', content: prompt },
          { role: 'assistant', content: { answer: `${model} says {a} to ${uid}.` } },
        ],
      }));
    await writeLines(join(folder, FOLDER, 'model_answer', `${model}.jsonl`), answers);
  }
  return folder;
}

/** A scored folder of one made item. */
export async function scoredFolder(shop: Workshop): Promise<string> {
  const folder = await folderWith(shop, {});
  const benchmark = {
    name: 'made',
    title: 'Made',
    metric: 'win rate',
    scale: [0, 1] as [number, number],
    protocol: {},
    notes: [],
  };
  await writeScored(folder, [{ benchmark, items: [{ id: 'a', cluster: 'a', score: 1 }] }]);
  return folder;
}
