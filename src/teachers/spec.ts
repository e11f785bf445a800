import * as z from 'zod';

/** Node's fetch gives up waiting for headers or for the next byte after 300 s, so a longer timeout would never be reached. */
const LONGEST_TIMEOUT_S = 290;

/** A teacher of a recipe. Only `model` belongs to the identity of a call: the same model at another server gives the same key. */
export const teacherSpec = z
  .strictObject({
    provider: z
      .enum(['openai', 'huggingface', 'practice'])
      .describe(
        'openai: any OpenAI-compatible server; huggingface: Inference Providers or an endpoint; practice: the built-in teacher of checkable tasks',
      ),
    model: z.string().min(1).describe('Model id as the server knows it'),
    baseUrl: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('Address of the API, up to and with /v1'),
    inferenceProvider: z
      .string()
      .min(1)
      .optional()
      .describe('huggingface only: pin one provider, so that the serving stack does not change within a data set'),
    billTo: z.string().min(1).optional().describe('huggingface only: organization that pays'),
    keyFrom: z
      .string()
      .regex(/^[A-Z][A-Z0-9_]*$/)
      .optional()
      .describe(
        'Name of the environment variable that holds the key; never the key itself. Without baseUrl: OPENAI_API_KEY or HF_TOKEN',
      ),
    concurrency: z.int().positive().max(4096).default(16).describe('Calls in flight at most'),
    timeoutSeconds: z.number().positive().max(LONGEST_TIMEOUT_S).default(120).describe('One call may take so long'),
    store: z
      .boolean()
      .default(false)
      .describe(
        'openai only: the server keeps answers for a while, so that one lost in a crash is found again and not paid twice',
      ),
    tokenLimit: z
      .enum(['max_completion_tokens', 'max_tokens'])
      .default('max_tokens')
      .describe('Name under which the server takes the limit of a reply'),
    price: z
      .strictObject({ input: z.number().min(0), output: z.number().min(0) })
      .optional()
      .describe('United States dollars per million tokens'),
  })
  .describe('A model that answers or judges, and where it is asked');

export type TeacherSpec = z.infer<typeof teacherSpec>;
