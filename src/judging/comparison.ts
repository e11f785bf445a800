import * as z from 'zod';
import { strictSchema } from './question.ts';
import { cutRationale, readJson } from './reading.ts';
import type { ResponseFormat } from './response-format.ts';

/** The aspect of rows that say which of two answers is better. */
const COMPARISON = 'comparison';

const body = z.strictObject({ rationale: z.string(), better: z.enum(['A', 'B', 'tie']) });

const schema = strictSchema({ rationale: { type: 'string' }, better: { type: 'string', enum: ['A', 'B', 'tie'] } });

/** Two texts, A and B: a win is worth 1 to a text, a tie one half, a loss 0. */
export function comparisonFormat(): ResponseFormat {
  return {
    slots: [
      { position: 0, aspect: COMPARISON, against: 1 },
      { position: 1, aspect: COMPARISON, against: 0 },
    ],
    schema: { name: COMPARISON, schema },
    read(reply) {
      const parsed = readJson(reply, body);
      if (!parsed.ok) return parsed;
      const { better } = parsed.found;
      const rationale = cutRationale(parsed.found.rationale);
      const found = (['A', 'B'] as const).map((label) => ({
        rating: null,
        value: better === 'tie' ? 0.5 : better === label ? 1 : 0,
        mass: null,
        na: false,
        rationale,
      }));
      return { ok: true, found };
    },
  };
}
