import { resolve } from 'node:path';
import { EXIT, ZephyrError } from '../errors.ts';
import { writeReview } from '../report/write-review.ts';
import { type Options, openQuietContext } from './context.ts';
import { feedbackOf } from './feedback-of.ts';
import { setDocument } from './verdict.ts';

type ReviewOptions = Options & { readonly out?: string; readonly rows?: string; readonly seed?: string };

/** `zephyr review ID`: pairs with their ratings as one page to read in a browser, without a server. */
export async function review([id]: string[], options: ReviewOptions): Promise<number> {
  const rows = options.rows === 'all' ? null : Number(options.rows ?? 300);
  if (rows !== null && !(Number.isInteger(rows) && rows > 0))
    throw new ZephyrError(`Cannot show "${options.rows}" pairs: expected a whole number from 1, or all`);
  const seed = Number(options.seed ?? 42);
  if (!Number.isInteger(seed)) throw new ZephyrError(`Cannot draw by the seed "${options.seed}": expected a whole number`);
  await using context = await openQuietContext(options);
  const found = await feedbackOf(context, id as string);
  const file = resolve(options.out ?? `${found.ref.name.split('/').at(-1)}-review.html`);
  const shown = await writeReview(file, { ...found, name: found.ref.name }, rows, seed);
  if (options.json === true) setDocument([found.id], { file, ...shown });
  else process.stdout.write(`${file}\n`);
  return EXIT.done;
}
