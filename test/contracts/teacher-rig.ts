import { type TeacherSpec, teacherSpec } from '../../src/teachers/spec.ts';
import type { ChatRequest, Teacher } from '../../src/teachers/teacher.ts';
import { type Asked, type Doing, type Protocol, type Storing, startChatServer } from '../rig/chat-server.ts';

export type Open = (spec: TeacherSpec, secret: string | undefined) => Teacher;

export const SECRET = 'sk-very-secret-0123456789';
export const SCHEMA = {
  name: 'answer',
  schema: { type: 'object', properties: { a: { type: 'integer', enum: [1, 2] } }, required: ['a'], additionalProperties: false },
};

export const REQUEST: ChatRequest = {
  model: 'some-model',
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'the question' },
  ],
  temperature: 0.3,
  top_p: 0.9,
  max_tokens: 77,
  seed: 5,
  schema: SCHEMA,
  key: 'a'.repeat(64),
};

export interface TeacherUnderTest {
  readonly provider: TeacherSpec['provider'];
  readonly open: Open;
  /** what its servers speak, where that is not OpenAI's protocol */
  readonly protocol?: Protocol;
  /** Its servers keep no answers, so that none is found again. */
  readonly keepsNone?: true;
}

/** Runs `use` with a teacher at a scripted server. */
export async function withTeacher(
  { provider, open, protocol }: TeacherUnderTest,
  extra: Partial<TeacherSpec>,
  script: (asked: Asked) => Doing,
  use: (teacher: Teacher, server: Awaited<ReturnType<typeof startChatServer>>) => Promise<void>,
  storing: Storing = {},
): Promise<void> {
  const server = await startChatServer(script, storing, protocol);
  try {
    await use(
      open(teacherSpec.parse({ provider, model: 'some-model', baseUrl: server.url, timeoutSeconds: 20, ...extra }), SECRET),
      server,
    );
  } finally {
    await server.close();
  }
}
