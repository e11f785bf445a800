import { EXIT, ZephyrError } from '../errors.ts';
import { cancelRun } from './cancel.ts';
import type { Context } from './context.ts';
import { wantsToCancel } from './interrupt.ts';

/** Runs a command's work; when the user turned away, says how to come back and, on a terminal, offers to cancel. */
export async function detached(context: Context, body: () => Promise<number>): Promise<number> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof ZephyrError) || error.exit !== 'detached') throw error;
    const id = /hf:\/\/\S+/.exec(error.hint ?? '')?.[0];
    context.renderer.close();
    process.stderr.write(
      `${error.message}\n${id === undefined ? '' : `  watch:  zephyr status ${id}\n  resume: zephyr resume ${id}\n  cancel: zephyr cancel ${id}\n`}`,
    );
    if (id === undefined || !(await wantsToCancel(context.interrupted))) return EXIT.detached;
    return await cancelRun(context, id);
  }
}
