import * as z from 'zod';
import { isVariableName } from '../base/secret-shapes.ts';
import { PROVIDER_NAMES, PROVIDERS, type ProviderName } from './providers.ts';

const address = z
  .url({ protocol: /^https?$/ })
  .refine(
    (url) => !/^https?:\/\/[^/?#]*@/i.test(url),
    'expected no name or password in the address; name the variable of the key in keyFrom',
  )
  .optional()
  .describe('Address of the API, up to and with /v1');
const A_NAME = 'expected the name of an environment variable, in capitals, never the key itself';
const keyFrom = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]*$/, { error: A_NAME, abort: true })
  .refine(isVariableName, A_NAME)
  .optional()
  .describe(
    'Name of the environment variable that holds the key; never the key itself. Without baseUrl: OPENAI_API_KEY or HF_TOKEN',
  );
const inferenceProvider = z
  .string()
  .min(1)
  .optional()
  .describe('huggingface only: pin one provider, so that the serving stack does not change within a data set');
const billTo = z.string().min(1).optional().describe('huggingface only: organization that pays');
const limits = z
  .strictObject({
    requestsPerMinute: z.number().positive().optional().describe('Requests that the server admits in a minute'),
    tokensPerMinute: z.number().positive().optional().describe('Tokens, in and out, that the server admits in a minute'),
  })
  .prefault({})
  .describe('What the server admits; corrected by its rate limit headers where it sends them');
const price = z
  .strictObject({
    input: z.number().min(0).describe('Dollars per million tokens of the prompt'),
    output: z.number().min(0).describe('Dollars per million tokens of the reply'),
    batch: z.number().min(0).max(1).default(0.5).describe('Part of the price that a call in a batch costs; OpenAI: half'),
    date: z.iso.date().describe('Day on which the price was looked up'),
    source: z.string().min(1).describe('Where it was looked up'),
  })
  .optional()
  .describe('United States dollars; without a price a stage with a budget is refused');
const concurrency = z
  .int()
  .positive()
  .max(4096)
  .default(64)
  .describe('Calls in flight at most; fewer are used while the server says that it is busy');

const awaySeconds = z
  .number()
  .positive()
  .max(86_400)
  .optional()
  .describe(
    'The server may be away for so long before the run ends with exit 75; by default 180, and 20 where it has not answered once',
  );

const store = z
  .boolean()
  .default(false)
  .describe(
    'The server keeps answers for a while and finds them by metadata, as OpenAI does, so that one lost in a crash is found again and not paid twice',
  );
const tokenLimit = z
  .enum(['max_completion_tokens', 'max_tokens'])
  .describe('Name under which the server takes the limit of a reply');

const reasoningTokens = z
  .int()
  .nonnegative()
  .optional()
  .describe(
    'Tokens of reasoning that the server may bill for a call on top of its maxTokens, at most. Without it a budget learns them from the first bills, call by call',
  );

const omit = z
  .array(
    z.enum(['temperature', 'top_p', 'response_format'], {
      error:
        'expected temperature, top_p or response_format; the limit of a reply goes by the name in tokenLimit, metadata goes with store',
    }),
  )
  .optional()
  .describe(
    'Parameters that the server does not take: they are left out of every request. Without response_format the JSON Schema of a reply is in the instructions',
  );

interface Addressed {
  readonly provider: ProviderName | 'practice';
  readonly baseUrl?: string | undefined;
}
const hasAddress = ({ provider, baseUrl }: Addressed) =>
  provider === 'practice' || PROVIDERS[provider].needsAddress !== true || baseUrl !== undefined;
const OWN_ADDRESS = {
  error: ({ input }: { readonly input?: unknown }) =>
    `expected baseUrl: a ${(input as Addressed).provider} server has no usual address`,
};

/** A teacher of a recipe. Only `model` belongs to the identity of a call: the same model at another server gives the same key. */
export const teacherSpec = z
  .strictObject({
    provider: z
      .enum([...PROVIDER_NAMES, 'practice'])
      .describe(
        `${PROVIDER_NAMES.map((name) => `${name}: ${PROVIDERS[name].about}`).join('; ')}; practice: the built-in teacher of checkable tasks`,
      ),
    model: z.string().min(1).describe('Model id as the server knows it'),
    baseUrl: address,
    inferenceProvider,
    billTo,
    keyFrom,
    concurrency,
    limits,
    via: z.enum(PROVIDER_NAMES).default('openai').describe('practice only: the client through which it is asked'),
    awaySeconds,
    timeoutSeconds: z.number().positive().max(3600).default(120).describe('One call may take so long'),
    store,
    tokenLimit: tokenLimit.default('max_tokens'),
    omit,
    price,
    reasoningTokens,
    licence: z.string().min(1).optional().describe('Licence of what the model writes, for the card of a dataset that holds it'),
    batch: z
      .strictObject({
        requests: z.int().positive().max(50_000).default(10_000).describe('Calls in one file at most; OpenAI: 50,000'),
        megabytes: z.number().positive().max(200).default(100).describe('Size of one file at most; OpenAI: 200 MB'),
        queuedTokens: z
          .int()
          .positive()
          .optional()
          .describe('Tokens that may wait in batches at once; OpenAI tier 1 with gpt-4o: 90,000'),
        pollSeconds: z.number().positive().default(30).describe('Time between two looks at a batch'),
      })
      .optional()
      .describe('openai and practice only: calls go through the Batch API, at half the price, within a day'),
    failover: z
      .array(
        z
          .strictObject({
            provider: z.enum(PROVIDER_NAMES),
            model: z.string().min(1).optional().describe('Name of the same model at this server, where it has another one'),
            baseUrl: address,
            inferenceProvider,
            billTo,
            keyFrom,
            concurrency,
            limits,
            awaySeconds,
            store,
            tokenLimit: tokenLimit.optional(),
            price,
            reasoningTokens,
          })
          .refine(hasAddress, OWN_ADDRESS),
      )
      .default([])
      .describe('Other servers of the same model, in this order, for when the first fails; what was paid stays paid'),
  })
  .refine(hasAddress, OWN_ADDRESS)
  .describe('A model that answers or judges, and where it is asked');

export type TeacherSpec = z.infer<typeof teacherSpec>;
