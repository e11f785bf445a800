import { EXIT } from '../errors.ts';
import { writeCard } from '../evaluations/write-card.ts';
import { formatRef } from '../model/artifact.ts';
import { sideOf } from './compared-sides.ts';
import { type Options, openQuietContext } from './context.ts';
import { setDocument } from './verdict.ts';

/** `zephyr card ID`: what evaluations found onto the card of the evaluated model, in one commit on its main branch. */
export async function card([id]: string[], options: Options): Promise<number> {
  await using context = await openQuietContext(options);
  const { hub } = context;
  const named = await sideOf(hub, id as string, 'A', 'tell on a card of');
  const evaluations = [...Map.groupBy(named.evaluations, ({ evaluation }) => evaluation.suite).values()].flatMap(
    ([newest]) => newest ?? [],
  );
  const { ref, paths } = await writeCard(hub, evaluations);
  const told = evaluations.map((one) => formatRef(one.ref));
  if (options.json === true) setDocument([formatRef(ref)], { evaluations: told, changed: paths });
  else {
    const changed = paths.length === 0 ? 'the card says it already' : paths.map((path) => `wrote ${path}`).join('\n');
    process.stderr.write(`${told.map((one) => `from ${one}`).join('\n')}\n${changed}\n`);
    process.stdout.write(`${formatRef(ref)}\n`);
  }
  return EXIT.done;
}
