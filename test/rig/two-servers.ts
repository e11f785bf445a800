import { rm } from 'node:fs/promises';
import type { SessionOptions } from '../../src/calls/session.ts';
import { openTeacher } from '../../src/teachers/registry.ts';
import { type TeacherSpec, teacherSpec } from '../../src/teachers/spec.ts';
import { optionsFor } from './asking.ts';
import { type Asked, type ChatServer, type Doing, startChatServer } from './chat-server.ts';

/** Runs `use` with options for a session whose teacher has several scripted servers, in this order. */
export async function withServers(
  scripts: readonly ((asked: Asked) => Doing)[],
  use: (servers: readonly ChatServer[], options: SessionOptions) => Promise<void>,
  spec: Partial<TeacherSpec> = {},
): Promise<void> {
  const servers = await Promise.all(scripts.map((script) => startChatServer(script)));
  try {
    const teachers = servers.map(({ url }) =>
      openTeacher(
        teacherSpec.parse({ provider: 'openai', model: 'm', baseUrl: url, concurrency: 4, timeoutSeconds: 20, ...spec }),
        'key',
      ),
    );
    const options = await optionsFor(servers[0] as ChatServer);
    await use(servers, { ...options, teacher: () => Promise.resolve(teachers) });
    await rm(options.callLog, { recursive: true, force: true });
  } finally {
    await Promise.all(servers.map((server) => server.close()));
  }
}
