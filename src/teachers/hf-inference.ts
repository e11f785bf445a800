import { InferenceClient, InferenceClientHubApiError, type InferenceProviderOrPolicy } from '@huggingface/inference';
import { chatBody, readAnswer } from './body.ts';
import { withDeadline } from './deadline.ts';
import { lostFailure } from './failure.ts';
import { headersOf } from './headers.ts';
import { fetchOver, openAgent } from './post.ts';
import type { TeacherSpec } from './spec.ts';
import { noStore, recoverFrom } from './stored.ts';
import type { ChatAnswer, ChatFailure, Teacher } from './teacher.ts';
import { termsOf } from './terms.ts';

type UnansweredChat = { readonly ok: false; readonly failure: ChatFailure };

/**
 * Hugging Face Inference Providers, or one endpoint. The SDK would repeat a 503 for ever and without a pause, has no
 * timeout, hides the headers, gives a bare message for OpenAI's error bodies and sends the address as the model when none
 * is named. So it only picks the provider, the address and the body; `fetch` is ours, and the answer is read from there.
 */
export function hfInferenceTeacher(spec: TeacherSpec, secret: string | undefined): Teacher {
  const timeoutMs = spec.timeoutSeconds * 1000;
  const dispatcher = openAgent(spec.concurrency);
  const fetch = fetchOver(dispatcher);
  // The router stores no answers by key; a user's own endpoint may.
  const storeUrl = spec.store && spec.baseUrl !== undefined ? versioned(spec.baseUrl) : undefined;
  const store = storeUrl !== undefined;
  const access: Record<string, string> = secret === undefined ? {} : { authorization: `Bearer ${secret}` };

  async function complete(args: ReturnType<typeof chatBody>, signal: AbortSignal): Promise<ChatAnswer> {
    let answer: ChatAnswer | undefined;
    let wasSent = false;
    const client = new InferenceClient(secret ?? '', {
      ...(spec.baseUrl === undefined ? {} : { endpointUrl: spec.baseUrl }),
      ...(spec.billTo === undefined ? {} : { billTo: spec.billTo }),
      retry_on_error: false,
      signal,
      fetch: async (input, init) => {
        // Looking up the provider of a model is a GET and goes through untouched.
        if (init?.method !== 'POST') return fetch(input, init);
        wasSent = true;
        const response = await fetch(input, init);
        const text = await response.text();
        answer = readAnswer(response.status, headersOf(response.headers), text);
        return new Response(text, { status: response.status, headers: { 'content-type': 'application/json' } });
      },
    });
    try {
      const provider =
        spec.inferenceProvider === undefined ? {} : { provider: spec.inferenceProvider as InferenceProviderOrPolicy };
      await client.chatCompletion({ ...(args as Parameters<InferenceClient['chatCompletion']>[0]), ...provider });
    } catch (error) {
      return answer ?? (wasSent ? lost(error, signal) : unsent(error, signal));
    }
    return answer ?? unsent(new Error('The provider was not asked'), signal);
  }

  return {
    ...termsOf(spec, spec.baseUrl ?? `Hugging Face (${spec.inferenceProvider ?? 'auto'})`, secret),
    settleMs: store ? timeoutMs : 0,
    complete: (request, signal) =>
      withDeadline(signal, timeoutMs, (both) => complete(chatBody(request, { ...spec, store }), both)),
    recover: storeUrl === undefined ? noStore : recoverFrom({ dispatcher, baseUrl: storeUrl, headers: access, timeoutMs }),
  };
}

/** The SDK adds `/v1` to an endpoint's address where it is missing. */
function versioned(baseUrl: string): string {
  const address = baseUrl.replace(/\/+$/, '');
  return address.endsWith('/v1') ? address : `${address}/v1`;
}

function lost(error: unknown, signal: AbortSignal): UnansweredChat {
  return { ok: false, failure: lostFailure(signal.aborted ? signal.reason : error) };
}

/**
 * What kept the SDK from asking. Its own refusals (no such provider, wrong kind of key, no such model) are the user's to
 * mend; all else is the network's, or the Hub's, which says who provides a model.
 */
function unsent(error: unknown, signal: AbortSignal): ChatAnswer {
  const { failure } = lost(error, signal);
  const name = error instanceof Error ? error.name : '';
  const status = error instanceof InferenceClientHubApiError ? error.httpResponse.status : 400;
  const isRefusal = name === 'InputError' || name === 'RoutingError' || name === 'HubApiError';
  const kind = isRefusal && status < 500 && status !== 429 ? 'stop' : 'again';
  return { ok: false, failure: { ...failure, kind, status: 0 } };
}
