import { ZephyrError } from '../errors.ts';
import { hfInferenceTeacher } from './hf-inference.ts';
import { openaiTeacher } from './openai.ts';
import { discreetBatch, openaiBatch } from './openai-batch.ts';
import { selfHostedTeacher } from './self-hosted.ts';
import type { TeacherSpec } from './spec.ts';
import type { BatchApi, ChatAnswer, Teacher } from './teacher.ts';
import { keyName } from './terms.ts';

const OPENAI = 'https://api.openai.com/v1';

/** The practice teacher answers at once or never: it ends with the command that started it. */
const PRACTICE_SETTLE_MS = 1000;

/** Opens a teacher of the recipe; `secret` is its key. The practice teacher is asked like any other server, at the `baseUrl` where it was started. */
export function openTeacher(spec: TeacherSpec, secret: string | undefined): Teacher {
  const teacher = openProvider(spec, secret);
  return secret === undefined ? keyless(teacher) : discreet(teacher, secret);
}

/** A server that wants a key tells one that is missing and one that is wrong in the same words. */
function keyless(teacher: Teacher): Teacher {
  return {
    ...teacher,
    async complete(request, signal) {
      const answer = await teacher.complete(request, signal);
      if (answer.ok || answer.failure.status !== 401) return answer;
      const message = `${answer.failure.message} (none was sent: the recipe names none in keyFrom)`;
      return { ...answer, failure: { ...answer.failure, message } };
    },
  };
}

/** A server may say the key back when it refuses it, and what it says is printed, logged and kept in the run's state. */
function discreet(teacher: Teacher, secret: string): Teacher {
  function hide<Answer extends ChatAnswer | undefined>(answer: Answer): Answer | ChatAnswer {
    if (answer === undefined || answer.ok) return answer;
    return { ...answer, failure: { ...answer.failure, message: without(secret, answer.failure.message) } };
  }
  return {
    ...teacher,
    complete: async (request, signal) => hide(await teacher.complete(request, signal)),
    recover: async (key, model, signal) => hide(await teacher.recover(key, model, signal)),
    ...(teacher.batch === undefined ? {} : { batch: discreetBatch(teacher.batch, (text) => without(secret, text)) }),
  };
}

/** So many characters of a key at the end of a message that was cut short are taken for the key. */
const TELLING = 4;

function without(secret: string, message: string): string {
  const rest = message.replaceAll(secret, '[redacted]');
  for (let length = secret.length - 1; length >= TELLING; length -= 1)
    if (rest.endsWith(secret.slice(0, length))) return `${rest.slice(0, -length)}[redacted]`;
  return rest;
}

function openProvider(spec: TeacherSpec, secret: string | undefined): Teacher {
  const key = keyName(spec);
  if (secret === undefined && key !== undefined) {
    throw new ZephyrError(`Cannot ask teacher "${spec.model}": no key, expected one in ${key}`, {
      exit: 'preflight',
      hint: `set ${key} in the environment, or ${key}_PATH to a file that holds it`,
    });
  }
  if (spec.provider === 'huggingface') return hfInferenceTeacher(spec, secret);
  const baseUrl = spec.baseUrl ?? (spec.provider === 'openai' ? OPENAI : undefined);
  if (baseUrl === undefined)
    throw new Error(`Cannot open the ${spec.provider} teacher before it was started: its baseUrl is not set`);
  if (spec.provider === 'openai') return { ...openaiTeacher(spec, baseUrl, secret), ...batchOf(spec, baseUrl, secret) };
  if (spec.provider === 'self-hosted') return selfHostedTeacher(spec, baseUrl, secret);
  const practice = { ...spec, baseUrl, store: true };
  const { batch } = spec.via === 'openai' ? batchOf(practice, baseUrl, secret) : {};
  return {
    ...practiceTeacher(practice, baseUrl, secret),
    // Each command starts it at another port, and the next one has to find what this one asked.
    name: `${spec.model} at the practice teacher`,
    settleMs: PRACTICE_SETTLE_MS,
    ...(batch === undefined ? {} : { batch: { ...batch, settleMs: PRACTICE_SETTLE_MS } }),
  };
}

function batchOf(spec: TeacherSpec, baseUrl: string, secret: string | undefined): { readonly batch?: BatchApi } {
  return spec.batch === undefined ? {} : { batch: openaiBatch({ ...spec, batch: spec.batch }, baseUrl, secret) };
}

function practiceTeacher(spec: TeacherSpec, baseUrl: string, secret: string | undefined): Teacher {
  if (spec.via === 'huggingface') return hfInferenceTeacher(spec, secret);
  return spec.via === 'self-hosted' ? selfHostedTeacher(spec, baseUrl, secret) : openaiTeacher(spec, baseUrl, secret);
}
