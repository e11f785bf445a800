import { chatBody, readAnswer } from './body.ts';
import { withDeadline } from './deadline.ts';
import { lostFailure } from './failure.ts';
import { openAgent, post } from './post.ts';
import type { TeacherSpec } from './spec.ts';
import { noStore, recoverFrom } from './stored.ts';
import type { Teacher } from './teacher.ts';
import { termsOf } from './terms.ts';

/** A vLLM, TGI or SGLang server of one's own, over the leanest client: the openai SDK costs several times as much a call. */
export function selfHostedTeacher(spec: TeacherSpec, baseUrl: string, secret: string | undefined): Teacher {
  const timeoutMs = spec.timeoutSeconds * 1000;
  const dispatcher = openAgent(spec.concurrency);
  const url = new URL(`${baseUrl.replace(/\/+$/, '')}/chat/completions`);
  const access: Record<string, string> = secret === undefined ? {} : { authorization: `Bearer ${secret}` };
  const headers = { 'content-type': 'application/json', accept: 'application/json', ...access };

  return {
    ...termsOf(spec, baseUrl, secret),
    settleMs: spec.store ? timeoutMs : 0,

    complete: (request, signal) =>
      withDeadline(signal, timeoutMs, async (both) => {
        try {
          const body = JSON.stringify(chatBody(request, spec));
          const answer = await post(dispatcher, { url, headers, body, signal: both });
          return readAnswer(answer.status, (name) => answer.headers[name]?.toString(), answer.text);
        } catch (error) {
          return { ok: false, failure: lostFailure(both.aborted ? both.reason : error) };
        }
      }),

    recover: spec.store ? recoverFrom({ dispatcher, baseUrl, headers: access, timeoutMs }) : noStore,
  };
}
