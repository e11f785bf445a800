import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import type { Json } from '../../src/base/canonical-json.ts';
import { sha256 } from '../../src/base/sha256.ts';
import { Servers } from '../../src/calls/servers.ts';
import type { Task, TaskContext, TaskResult } from '../../src/stages/stage.ts';
import { openTeacher } from '../../src/teachers/registry.ts';
import { teacherSpec } from '../../src/teachers/spec.ts';
import type { Teacher } from '../../src/teachers/teacher.ts';
import { startFaultyPractice } from './faulty-practice.ts';

export interface TaskRun extends TaskResult {
  readonly out: string;
  readonly notes: readonly string[];
}

export interface Workshop {
  readonly folder: string;
  /** the teacher of every id */
  readonly teacher: Teacher;
  /** Runs a task as the engine does, but for `more`. The call log is that of `name`; the output folder is new each time. */
  run(
    name: string,
    task: Task,
    config: Json,
    inputs?: Readonly<Record<string, string>>,
    more?: Partial<TaskContext>,
  ): Promise<TaskRun>;
  /** calls that the practice server answered so far */
  answered(): number;
  close(): Promise<void>;
}

/** A folder and a practice teacher to run tasks with; every call is asked of the practice model that it names. */
export async function openWorkshop(faults?: string): Promise<Workshop> {
  const folder = await mkdtemp(join(tmpdir(), 'zephyr-task-'));
  const server = await startFaultyPractice({ seed: 7, ...(faults === undefined ? {} : { faults }) });
  const opened = new Map<string, Teacher>();
  const teacherOf = (model: string): Teacher => {
    const spec = { provider: 'practice', model, baseUrl: server.url, store: true, concurrency: 8, timeoutSeconds: 20 };
    const teacher = opened.get(model) ?? openTeacher(teacherSpec.parse(spec), undefined);
    opened.set(model, teacher);
    return teacher;
  };
  const teacher: Teacher = {
    ...teacherOf('practice'),
    complete: (request, until) => teacherOf(request.model).complete(request, until),
  };
  let outs = 0;
  return {
    folder,
    teacher,
    answered: server.answered,
    async run(name, task, config, inputs = {}, more = {}) {
      outs += 1;
      const out = join(folder, `out-${outs}`);
      await mkdir(out);
      const notes: string[] = [];
      const context: TaskContext = {
        step: `test/${name}`,
        config,
        inputs,
        artifacts: {},
        out,
        files: join(import.meta.dirname, '../../scripts/train'),
        callLog: join(folder, 'journal', name),
        flush: async () => {},
        flushBound: { calls: 1000, usd: 10, everyMs: 60_000 },
        sure: undefined,
        earlier: [],
        budgetUsd: undefined,
        maxUnanswered: undefined,
        prefetch: undefined,
        teacher: () => Promise.resolve([teacher]),
        servers: new Servers(),
        signal: new AbortController().signal,
        progress: () => {},
        note: (message) => notes.push(message),
        ...more,
      };
      return { ...(await task(context)), out, notes };
    },
    close: () => server.close(),
  };
}

/** A workshop for the time of `use`. */
export async function withShop(use: (shop: Workshop) => Promise<void>, faults?: string): Promise<void> {
  const shop = await openWorkshop(faults);
  try {
    await use(shop);
  } finally {
    await shop.close();
    await rm(shop.folder, { recursive: true });
  }
}

/** sha256 of every file below a folder, by path. */
export async function digests(folder: string): Promise<Record<string, string>> {
  const entries = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const found: Record<string, string> = {};
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(entry.parentPath, entry.name);
    found[relative(folder, path)] = sha256(await readFile(path));
  }
  return found;
}

export const callFields = (model: string, maxTokens = 64) => ({
  teacher: model,
  model,
  temperature: 0,
  top_p: 1,
  max_tokens: maxTokens,
});
