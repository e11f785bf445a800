// How much of a judge's limit MT-Bench uses: `node test/bench/judging.mjs [REQUESTS A MINUTE] [PASSES]` grades 160 turns so many
// times by the practice judge in a process of its own, which admits so many requests a minute and answers 429 beyond. The
// share is of the requests that the server admits from its first answer to its last; what its bucket of a second had saved
// up is within. Figures to read, not a test.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { judge } from '../../src/stages/eval/mt-bench/judge.ts';
import { openTeacher } from '../../src/teachers/registry.ts';
import { teacherSpec } from '../../src/teachers/spec.ts';
import { startPractice } from '../rig/practice.ts';
import { openWorkshop } from '../rig/task.ts';

const perMinute = Number(process.argv[2] ?? 600);
const passes = Number(process.argv[3] ?? 6);
const lines = (rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

const practice = await startPractice(1, '--requestsPerMinute', String(perMinute), '--burstSeconds', '1');
const workshop = await openWorkshop();
const inputs = { data: join(workshop.folder, 'data'), answers: join(workshop.folder, 'answers') };
for (const folder of Object.values(inputs)) mkdirSync(folder);
const questions = Array.from({ length: 80 }, (_, index) => ({
  question_id: 81 + index,
  category: 'writing',
  turns: ['One?', 'Two?'],
}));
const told = 'Give a grade as "[[rating]]".';
const prompts = [
  { name: 'single-v1', prompt_template: `${told}\n\n### Assistant A:\n{answer}` },
  { name: 'single-v1-multi-turn', prompt_template: `${told}\n\n### Assistant A:\n{answer_1}\n\n### Assistant A:\n{answer_2}` },
].map((prompt) => ({ ...prompt, system_prompt: 'You judge.' }));
const answers = questions.flatMap(({ question_id }) =>
  [1, 2].map((turn) => ({
    prompt_id: String(question_id),
    sample: 0,
    turn,
    text: `It is ${question_id}.`,
    tokens: 4,
    finish_reason: 'stop',
  })),
);
writeFileSync(join(inputs.data, 'questions.jsonl'), lines(questions));
writeFileSync(join(inputs.data, 'judge_prompts.jsonl'), lines(prompts));
writeFileSync(join(inputs.data, 'references.jsonl'), '');
writeFileSync(join(inputs.answers, 'completions.jsonl'), lines(answers));

const model = 'practice-judge';
const limits = { requestsPerMinute: perMinute };
const spec = teacherSpec.parse({ provider: 'practice', model, baseUrl: practice.url, store: true, concurrency: 64, limits });
const config = {
  version: 1,
  judges: [{ teacher: model, model, at: 'practice', temperature: 0, top_p: 1, max_tokens: 2048 }],
  repeats: passes,
  protocol: {},
};
const teacher = openTeacher(spec, undefined);
const started = performance.now();
await workshop.run('judging', judge, config, inputs, { teacher: () => Promise.resolve([teacher]) });
const seconds = (performance.now() - started) / 1000;
const calls = (await practice.answered()).length;
await workshop.close();
await practice.stop();
const share = calls / ((perMinute / 60) * seconds);
console.log(
  `${calls} verdicts in ${seconds.toFixed(1)} s, the judge admits ${perMinute} requests a minute: ${share.toFixed(3)} of its limit`,
);
