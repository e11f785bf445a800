import * as z from 'zod';
import { sourceText } from '../../recipe-context.ts';

export const PRINCIPLES = ['helpfulness', 'harmlessness', 'honesty', 'verbalized_calibration', 'truthfulness'] as const;

const temperature = z.number().min(0).max(2);
const topP = z.number().positive().max(1);
const maxTokens = z.int().positive();

export const samplingFields = {
  temperature: temperature.default(1).describe('Sampling temperature; UltraFeedback: 1'),
  topP: topP.default(1).describe('Nucleus sampling; UltraFeedback: 1'),
  maxTokens: maxTokens.default(1024).describe('Tokens of one answer at most; UltraFeedback: 1024'),
};

const memberFields = {
  teacher: z.string().optional().describe('Id of a teacher that answers over an API'),
  model: sourceText('model', ['dsft', 'setup/base'])
    .optional()
    .describe('A model artifact that answers in a job of its own: `dsft` (on-policy answers) or hf://models/...'),
  sampling: z
    .strictObject({ temperature: temperature.optional(), topP: topP.optional(), maxTokens: maxTokens.optional() })
    .optional()
    .describe('What this member samples otherwise than `answer` says'),
  engine: z.enum(['transformers', 'vllm']).default('transformers').describe('What runs a model artifact; ignored for a teacher'),
  batchSize: z.int().positive().default(8).describe('Prompts that a model artifact answers at once; ignored for a teacher'),
  licence: z.string().min(1).optional().describe("Licence of what it writes, for the card; a teacher's own without it"),
};
const eitherOr = ({ teacher, model }: { readonly teacher?: string | undefined; readonly model?: string | undefined }) =>
  (teacher === undefined) !== (model === undefined);
const EITHER = 'expected either `teacher` or `model`';

export const member = z.strictObject(memberFields).refine(eitherOr, EITHER);

export const poolMember = z
  .strictObject({
    ...memberFields,
    weight: z
      .number()
      .positive()
      .default(1)
      .describe('How often this member is drawn, relative to the others; UltraFeedback: all the same'),
    share: z
      .number()
      .positive()
      .max(1)
      .optional()
      .describe(
        'Share of the prompts that this member answers for sure, the other answers being drawn from members without one; `weight` then means nothing. Tulu 3: 1 for the own model, the other side random',
      ),
  })
  .refine(eitherOr, EITHER);

const weights = z.partialRecord(z.enum(PRINCIPLES), z.number().positive(), {
  error: `expected weights by principle, of ${PRINCIPLES.join(', ')}`,
});

/** A list: all equally often. A map: weights by source, those of `default` for a source that it does not name. */
export const principlesSpec = z.union([z.array(z.enum(PRINCIPLES)), z.record(z.string(), weights)], {
  error: `expected a list of ${PRINCIPLES.join(', ')}, or weights of them by source with a default`,
});

export type MemberSpec = z.infer<typeof member>;
export type PoolSpec = z.infer<typeof poolMember>;
export type PrinciplesSpec = z.infer<typeof principlesSpec>;
