import { EXIT, ZephyrError } from '../errors.ts';
import { cancelRun } from './cancel.ts';
import type { Context } from './context.ts';
import { findRun } from './find-run.ts';
import { wantsToCancel } from './interrupt.ts';
import { hubOption } from './same-hub.ts';

/**
 * Runs the work of a command; when the user has detached, says how to come back. A job that goes on is offered to be watched and,
 * on a terminal, to be cancelled; where zephyr itself was at work nothing goes on.
 */
export async function detached(context: Context, body: () => Promise<number>): Promise<number> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof ZephyrError) || error.exit !== 'detached') throw error;
    const id = /hf:\/\/\S+/.exec(error.hint ?? '')?.[0];
    context.renderer.close();
    process.stderr.write(`${error.message}\n`);
    if (id === undefined) {
      if (error.hint !== undefined) process.stderr.write(`hint: ${error.hint}\n`);
      return EXIT.detached;
    }
    const hasJob = await jobGoesOn(context, id);
    const ways = hasJob ? ['watch:  zephyr status', 'resume: zephyr resume', 'cancel: zephyr cancel'] : ['resume: zephyr resume'];
    process.stderr.write(ways.map((way) => `  ${way} ${id}${hubOption()}\n`).join(''));
    if (!hasJob || !(await wantsToCancel(context.interrupted))) return EXIT.detached;
    return await cancelRun(context, id);
  }
}

/** A Hub that does not answer now may answer when the user tries the ways later: then all of them are shown. */
async function jobGoesOn(context: Context, id: string): Promise<boolean> {
  return await findRun(context.hub, id).then(
    ({ state }) => state.job !== null,
    () => true,
  );
}
