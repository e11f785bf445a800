import { join } from 'node:path';
import type { Engine } from '../engine/engine.ts';
import { handOver } from '../engine/hand-over.ts';
import { EXIT, ZephyrError } from '../errors.ts';
import type { Decision } from '../plan/explain.ts';
import type { Plan } from '../plan/plan.ts';
import type { Context, Options } from './context.ts';
import { driverVariables } from './driver-variables.ts';
import { hubOption } from './same-hub.ts';
import { setDocument } from './verdict.ts';

interface ToHandOver {
  readonly plan: Plan;
  readonly decisions: readonly Decision[];
  readonly resume?: { readonly stage: string; readonly run: string };
}

/** Throws where nothing could go on with a run when this command ends. */
export function expectDriver({ backend: { scheduler } }: Engine): void {
  if (scheduler.drive !== undefined) return;
  throw new ZephyrError(`Cannot detach a run from this terminal: backend "${scheduler.name}" has nothing that works on it then`, {
    hint: 'name a target of a cluster with --on; here Ctrl-C detaches from a job, and nohup keeps zephyr itself',
  });
}

/** Has a job work on the plan in place of this command. Returns the exit status; undefined where nothing is left to do. */
export async function detach(
  context: Context,
  engine: Engine,
  { plan, decisions, resume }: ToHandOver,
  options: Options,
): Promise<number | undefined> {
  const env = driverVariables(context, plan, decisions, options);
  const handed = await handOver(engine, {
    plan,
    resume,
    drive: async (run, labels) => {
      if (engine.backend.scheduler.drive === undefined) throw new Error('Cannot drive a run: see expectDriver');
      const hub = options.hub === undefined ? [] : ['--hub', options.hub];
      const command = (target: string) => ['resume', run.id, '--on', target, ...hub];
      const program = [process.execPath, join(context.root, 'dist', 'cli.js')];
      return await engine.backend.scheduler.drive({ labels, program, command, target: engine.target, env, home: context.home });
    },
  });
  if (handed === undefined) return undefined;
  const { id, handle, before } = handed;
  context.renderer.close();
  if (options.json === true) setDocument([id], { job: { ...handle, state: before?.state ?? 'queued' } });
  else process.stdout.write(`${id}\n`);
  const how = before === undefined ? 'is submitted' : `was submitted before (${before.state})`;
  const ways = ['watch:  zephyr status', 'logs:   zephyr logs -f', 'cancel: zephyr cancel'];
  process.stderr.write(`Job ${handle.id} on ${handle.host} ${how}: it goes on with the run\n`);
  process.stderr.write(ways.map((way) => `  ${way} ${id}${hubOption()}\n`).join(''));
  return EXIT.done;
}
