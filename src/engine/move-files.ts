import { ZephyrError } from '../errors.ts';
import type { TransferOptions } from '../hub/transfer.ts';
import type { RunEvent, TransferProgress } from '../model/event.ts';
import type { Step } from '../stages/stage.ts';
import type { Engine } from './engine.ts';

/** Which files move, and where to. */
type Moving = Pick<Extract<RunEvent, { type: 'transfer' }>, 'direction' | 'what'>;

/** Milliseconds between two events of a transfer, and before the first. */
const TOLD_EVERY_MS = 1000;

/**
 * Moves files of a step: stopped by the engine's signal, shown as events. What has moved when it is stopped is kept, and the
 * command that goes on with the run goes on with it.
 */
export async function moveFiles<T>(
  engine: Pick<Engine, 'emit' | 'signal'>,
  { stage, name }: Pick<Step, 'stage' | 'name'>,
  moving: Moving,
  work: (options: TransferOptions) => Promise<T>,
): Promise<T> {
  const began = performance.now();
  let toldAt = began;
  let first: number | undefined;
  const progress = (progress: TransferProgress): void => {
    first ??= progress.done;
    const now = performance.now();
    const isEnd = progress.done === progress.total && toldAt > began;
    if (now - toldAt < TOLD_EVERY_MS && !isEnd) return;
    toldAt = now;
    const bytesPerSecond = Math.round((1000 * Math.max(0, progress.done - first)) / (now - began));
    engine.emit({ type: 'transfer', stage, step: name, ...moving, progress, bytesPerSecond });
  };
  try {
    return await work({ signal: engine.signal, progress });
  } catch (error) {
    const isDetached = error instanceof ZephyrError ? error.exit === 'detached' : error === engine.signal.reason;
    if (!isDetached) throw error;
    const way = moving.direction === 'upload' ? 'on their way to' : 'on their way from';
    throw new ZephyrError(`Detached from ${stage}/${name} with files ${way} the Hub; what has moved is kept`, {
      exit: 'detached',
      cause: error,
    });
  }
}
