import { InferenceClient, type InferenceProviderOrPolicy } from '@huggingface/inference';
import { readAnswer } from './body.ts';
import { lostFailure } from './failure.ts';
import type { TeacherSpec } from './spec.ts';
import type { ChatAnswer, Teacher } from './teacher.ts';

/**
 * Hugging Face Inference Providers, or one endpoint. The SDK would repeat a 503 for ever and without a pause, has no
 * timeout, hides the headers, gives a bare message for OpenAI's error bodies and sends the address as the model when none
 * is named. So it only picks the provider, the address and the body; `fetch` is ours, and the answer is read from there.
 */
export function hfInferenceTeacher(spec: TeacherSpec, secret: string | undefined): Teacher {
  const timeoutMs = spec.timeoutSeconds * 1000;
  const where = spec.baseUrl ?? `Hugging Face (${spec.inferenceProvider ?? 'auto'})`;

  return {
    name: `${spec.model} at ${where}`,
    concurrency: spec.concurrency,
    limits: {
      requestsPerMinute: spec.limits.requestsPerMinute,
      tokensPerMinute: spec.limits.tokensPerMinute,
    },
    price: spec.price,
    settleMs: 0,

    async complete(request, signal) {
      const both = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      let answer: ChatAnswer | undefined;
      const client = new InferenceClient(secret ?? '', {
        ...(spec.baseUrl === undefined ? {} : { endpointUrl: spec.baseUrl }),
        ...(spec.billTo === undefined ? {} : { billTo: spec.billTo }),
        retry_on_error: false,
        signal: both,
        fetch: async (input, init) => {
          const response = await fetch(input, init);
          // Looking up the provider of a model is a GET and goes through untouched.
          if (init?.method !== 'POST') return response;
          const text = await response.text();
          answer = readAnswer(response.status, response.headers, text);
          return new Response(text, { status: response.status, headers: { 'content-type': 'application/json' } });
        },
      });
      try {
        await client.chatCompletion({
          model: request.model,
          ...(spec.inferenceProvider === undefined ? {} : { provider: spec.inferenceProvider as InferenceProviderOrPolicy }),
          messages: request.messages.map(({ role, content }) => ({ role, content })),
          temperature: request.temperature,
          top_p: request.top_p,
          max_tokens: request.max_tokens,
          ...(request.seed === undefined ? {} : { seed: request.seed }),
          ...(request.schema === undefined
            ? {}
            : {
                response_format: {
                  type: 'json_schema',
                  json_schema: { name: request.schema.name, schema: { ...request.schema.schema }, strict: true },
                },
              }),
        });
      } catch (error) {
        return answer ?? unsent(error, both);
      }
      return answer ?? unsent(new Error('The provider was not asked'), both);
    },

    // The router keeps nothing by key.
    recover: () => Promise.resolve(undefined),
  };
}

/** The SDK's own refusals (no such provider, wrong kind of key) are the user's to mend; all else is the network's. */
function unsent(error: unknown, signal: AbortSignal): ChatAnswer {
  const name = error instanceof Error ? error.name : '';
  if (name === 'InputError' || name === 'RoutingError' || name === 'HubApiError') {
    return { ok: false, failure: { kind: 'stop', message: (error as Error).message, status: undefined, afterMs: undefined } };
  }
  return { ok: false, failure: lostFailure(signal.aborted ? signal.reason : error) };
}
