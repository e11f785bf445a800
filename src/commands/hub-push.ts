import { join } from 'node:path';
import { EXIT, ZephyrError } from '../errors.ts';
import { push } from '../hub/push.ts';
import { formatRef, formatRepo } from '../model/artifact.ts';
import { formatBytes } from '../render/format.ts';
import { type Options, openQuietContext, openRemote } from './context.ts';
import { watchSignals } from './interrupt.ts';
import { otherHub } from './pull-one.ts';
import { refOf } from './read-id.ts';
import { beside, transferProgress } from './transfer-progress.ts';
import { setDocument } from './verdict.ts';

const EXAMPLE = 'zephyr hub push hf://models/local/zephyr-7b --as hf://models/my-org/zephyr-7b';

/** `zephyr hub push REF`: an artifact of the embedded Hub to another Hub; its ID there on stdout. */
export async function pushFromHub(
  [text, ...rest]: readonly string[],
  options: Options & { readonly to?: string; readonly as?: string; readonly yes?: boolean },
): Promise<number> {
  if (text === undefined || rest.length > 0 || options.hub !== undefined)
    throw new ZephyrError('Cannot push: expected one reference of the embedded Hub, and the other Hub under --to', {
      hint: EXAMPLE,
    });
  const floating = refOf(text, 'push', EXAMPLE);
  const as = options.as === undefined ? floating : refOf(options.as, 'push to', EXAMPLE);
  if (as.type !== floating.type)
    throw new ZephyrError(`Cannot push a ${floating.type} to "${options.as}": expected the same type`);
  await using context = await openQuietContext(options, watchSignals());
  const { hub, env, signal, home } = context;
  const commit = await hub.resolve(floating);
  if (commit === undefined)
    throw new ZephyrError(`Cannot push "${formatRef(floating)}", the embedded Hub has no such repo or revision`, {
      exit: 'preflight',
      hint: 'zephyr hub ls lists what it has',
    });
  const progress = transferProgress(process.stderr);
  const to = await openRemote(env, otherHub(options.to, env), { signal, emit: beside(progress, context.emit) });
  try {
    const { ref, isNew } = await push({
      from: hub,
      to,
      ref: { type: floating.type, name: floating.name, commit },
      as: { type: as.type, name: as.name },
      scratch: join(home, 'hub', 'pulls', `push-${commit}`),
      replaces: options.yes ?? false,
      transfer: { signal, progress: progress.moved },
      begins: (files, bytes) => {
        process.stderr.write(`pushing ${formatRepo(floating)} to ${to.name}: ${files} files, ${formatBytes(bytes)}\n`);
        progress.begin(formatRepo(as));
      },
    });
    if (!isNew) process.stderr.write(`${formatRepo(as)} holds that already\n`);
    if (options.json === true) setDocument([formatRef(ref)], { isNew });
    else process.stdout.write(`${formatRef(ref)}\n`);
    return EXIT.done;
  } finally {
    progress.end();
  }
}
