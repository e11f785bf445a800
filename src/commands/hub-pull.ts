import { EXIT, ZephyrError } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import { openQuietContext } from './context.ts';
import { watchSignals } from './interrupt.ts';
import { type PullOptions, pullOne } from './pull-one.ts';
import { refOf } from './read-id.ts';
import { setDocument } from './verdict.ts';

const EXAMPLE = 'zephyr hub pull hf://models/mistralai/Mistral-7B-v0.1';

/** `zephyr hub pull REF...`: models and datasets of another Hub into the embedded one; each one's ID here on stdout. */
export async function pullToHub(texts: readonly string[], options: PullOptions): Promise<number> {
  if (options.hub !== undefined)
    throw new ZephyrError('Cannot pull with --hub: a pull goes into the embedded Hub', {
      hint: `another source is named by --from; ${EXAMPLE}`,
    });
  const refs = texts.map((text) => refOf(text, 'pull', EXAMPLE));
  if (refs.length === 0)
    throw new ZephyrError('Cannot pull: no repo, expected hf://models/ORG/NAME[@REVISION]', { hint: EXAMPLE });
  const as = options.as === undefined ? undefined : refOf(options.as, 'pull into', `${EXAMPLE} --as hf://models/ORG/NAME`);
  if (as !== undefined && (refs.length > 1 || as.type !== refs[0]?.type))
    throw new ZephyrError(`Cannot pull into "${options.as}": expected one repo to pull, of the same type`);
  await using context = await openQuietContext(options, watchSignals());
  const pulled: { ref: string; id: string; isNew: boolean }[] = [];
  for (const ref of refs) {
    const { type, name } = as ?? ref;
    const { ref: here, isNew } = await pullOne(context, ref, { type, name }, options);
    pulled.push({ ref: formatRef(ref), id: formatRef(here), isNew });
    if (!isNew) process.stderr.write(`${formatRef(ref)} is here already\n`);
    if (options.json !== true) process.stdout.write(`${formatRef(here)}\n`);
  }
  if (options.json === true)
    setDocument(
      pulled.map(({ id }) => id),
      { pulled },
    );
  return EXIT.done;
}
