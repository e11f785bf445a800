import { resolve } from 'node:path';
import { EXIT, ZephyrError } from '../errors.ts';
import { exportToArgilla } from '../report/argilla.ts';
import { type Options, openQuietContext } from './context.ts';
import { feedbackOf } from './feedback-of.ts';
import { setDocument } from './verdict.ts';

type ExportOptions = Options & { readonly to?: string; readonly as?: string };

/** `zephyr export ID --to FOLDER`: pairs with their ratings for people to judge, in the layout of a labelling tool. */
export async function exportFeedback([id]: string[], options: ExportOptions): Promise<number> {
  if (options.to === undefined)
    throw new ZephyrError('Cannot export without a folder: expected --to FOLDER', {
      hint: `zephyr export ${id} --to for-argilla`,
    });
  await using context = await openQuietContext(options);
  const found = await feedbackOf(context, id as string);
  const folder = resolve(options.to);
  const records = await exportToArgilla(folder, { ...found, name: found.ref.name });
  if (options.json === true) setDocument([found.id], { as: options.as ?? 'argilla', folder, records });
  else process.stdout.write(`${folder}\n`);
  return EXIT.done;
}
