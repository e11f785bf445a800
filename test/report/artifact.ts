import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Json } from '../../src/base/canonical-json.ts';
import type { Rating } from '../../src/judging/rating.ts';
import { binarize } from '../../src/stages/aif/pairs/binarize.ts';
import type { BinarizeRule } from '../../src/stages/aif/pairs/rule.ts';
import type { Completion } from '../../src/stages/aif/tables.ts';
import type { TaskContext } from '../../src/stages/stage.ts';
import { binarizeRule, completionRow, ratingRow, writeCompletions, writeRatings } from '../rig/feedback.ts';

/** What a page must never run or be closed by. */
export const HOSTILE = [
  '</p></section></article><script>alert("text")</script>',
  '<img src=x onerror="alert(1)"> </style></script><!-- ]]> ',
  `"><svg onload=alert(1)> ' onmouseover='alert(1) \`-alert(1)-`,
];

export const IDS = Array.from({ length: 24 }, (_, n) => `prompt-${String(n).padStart(2, '0')}`);
const MEMBERS = ['a', 'b', 'c'];

/** A published aif dataset as a folder: two judges, two orders, hostile texts in every column that others write. */
export async function aifFolder(rule: Partial<BinarizeRule> = {}): Promise<{ root: string; folder: string }> {
  const root = await mkdtemp(join(tmpdir(), 'zephyr-report-'));
  const folder = join(root, 'out');
  await mkdir(folder);
  await mkdir(join(root, 'prompts'));
  const hostile = HOSTILE.join(' ');
  const prompts = IDS.map((prompt_id, n) => ({
    prompt_id,
    prompt: `${hostile} question ${prompt_id}`,
    source: n % 2 === 0 ? 'chat' : hostile,
    safety: n % 3 === 0,
  }));
  await writeFile(join(root, 'prompts', 'prompts.jsonl'), prompts.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const completions = prompts.flatMap(({ prompt_id, prompt }) =>
    MEMBERS.map((member, m): Completion => {
      const text = `${hostile} ${member} answers ${prompt_id} ${'at length '.repeat(m * 5)}`;
      const flags: Completion['flags'] = member === 'c' && prompt_id.endsWith('0') ? ['refusal'] : [];
      return completionRow(prompt_id, member, { prompt, text, model: `${member} ${hostile}`, flags });
    }),
  );
  const ratings = IDS.flatMap((id, n) =>
    [0, 1].flatMap((seat) =>
      [0, 1].flatMap((permutation) =>
        MEMBERS.flatMap((member, m): Rating[] => {
          const isIndifferent = seat === 1 && permutation === 1 && n % 7 === 0;
          const turned = permutation === 1 && n % 5 === 0 ? 2 : 1;
          const rating = isIndifferent ? 3 : 1 + ((n + m * turned) % 5);
          const more = { seat, judge: `judge-${seat}`, permutation, position: m, rationale: hostile };
          return ['honesty', 'helpfulness'].map((aspect) => ratingRow(id, member, rating, { aspect, ...more }));
        }),
      ),
    ),
  );
  await writeCompletions(join(root, 'completions'), completions);
  await writeRatings(join(root, 'ratings'), ratings);
  const inputs = Object.fromEntries(['prompts', 'completions', 'ratings'].map((name) => [name, join(root, name)]));
  const config = {
    version: 2,
    ...binarizeRule,
    aspects: ['honesty', 'helpfulness'],
    test_prompts: 3,
    ...rule,
  } as unknown as Json;
  await binarize({ config, inputs, out: folder, note: () => {} } as unknown as TaskContext);
  return { root, folder };
}
