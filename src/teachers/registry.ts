import { ZephyrError } from '../errors.ts';
import { hfInferenceTeacher } from './hf-inference.ts';
import { openaiTeacher } from './openai.ts';
import { discreetBatch, openaiBatch } from './openai-batch.ts';
import { PROVIDERS } from './providers.ts';
import { selfHostedTeacher } from './self-hosted.ts';
import type { TeacherSpec } from './spec.ts';
import type { ChatAnswer, Teacher } from './teacher.ts';
import { keyName } from './terms.ts';

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

/** Least characters of a key at the end of a message that was cut short that are taken for the key. */
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
  return OPEN[spec.provider](spec, secret);
}

const OPEN: Readonly<Record<TeacherSpec['provider'], (spec: TeacherSpec, secret: string | undefined) => Teacher>> = {
  huggingface: hfInferenceTeacher,
  'self-hosted': (spec, secret) => selfHostedTeacher(spec, addressOf(spec), secret),
  openai(spec, secret) {
    const { batch } = spec;
    const teacher = openaiTeacher(spec, addressOf(spec), secret);
    return batch === undefined ? teacher : { ...teacher, batch: openaiBatch({ ...spec, batch }, addressOf(spec), secret) };
  },
  practice(spec, secret) {
    const teacher = OPEN[spec.via]({ ...spec, baseUrl: addressOf(spec), store: true }, secret);
    const { batch } = teacher;
    return {
      ...teacher,
      // Each command starts the practice server at another port, and the next command must find the calls of this one.
      name: `${spec.model} at the practice teacher`,
      settleMs: PRACTICE_SETTLE_MS,
      ...(batch === undefined ? {} : { batch: { ...batch, settleMs: PRACTICE_SETTLE_MS } }),
    };
  },
};

function addressOf({ provider, baseUrl }: TeacherSpec): string {
  const address = baseUrl ?? (provider === 'practice' ? undefined : PROVIDERS[provider].address);
  if (address === undefined) throw new Error(`Cannot open the ${provider} teacher before it was started: its baseUrl is not set`);
  return address;
}
