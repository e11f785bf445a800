import { ChatDialogue } from '../chat/dialogue.ts';
import { Interrupts } from '../chat/interrupts.ts';
import { talkOnTerminal } from '../chat/session.ts';
import { EXIT } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import { loadTarget } from '../recipe/load-target.ts';
import { loadStages, type StageModule } from '../stages/module.ts';
import { answerOnce } from './answer-once.ts';
import { type ChatOptions, questionOf, samplingOf } from './chat-options.ts';
import { openQuietContext } from './context.ts';
import { openSheet } from './sheet.ts';
import { chatModel, openTalkers } from './talkers.ts';

/** `zephyr chat ID`: talk with a model on the terminal, or have one question answered. */
export async function chat([id]: string[], options: ChatOptions, modules: readonly StageModule[]): Promise<number> {
  const sampling = samplingOf(options);
  const question = await questionOf(options);
  const interrupts = new Interrupts();
  const never = new Promise<never>(() => undefined);
  const signals = { signal: interrupts.signal, interrupted: never, stop: () => interrupts.stop() };
  await using context = await openQuietContext(options, signals);
  const sheet = openSheet();
  context.listeners.push((event) => {
    if (event.type === 'environment') sheet.note(`${event.environment}: ${event.message}`);
  });
  try {
    const target = await loadTarget(options.on ?? 'process', { root: context.root, stages: await loadStages(modules) });
    const models = [await chatModel(context, id as string)];
    if (options.compare !== undefined) models.push(await chatModel(context, options.compare));
    if (question === undefined) sheet.note(`loading ${models.map(({ ref }) => ref.name).join(' and ')}`);
    const talkers = await openTalkers(context, target, models);
    const partners = talkers.map((talker, index) => ({
      talker,
      dialogue: new ChatDialogue(options.system, models[index]?.system ?? 'none'),
    }));
    const ids = models.map(({ ref }) => formatRef(ref));
    if (question !== undefined)
      return await answerOnce({ ids, partners, sheet, interrupts, question, sampling: sampling(0), json: options.json === true });
    for (const { name, context: tokens, temperature } of talkers)
      sheet.note(
        `${name}: ${tokens === null ? '' : `${tokens} tokens of context, `}temperature ${options.temperature ?? temperature}`,
      );
    sheet.note('Ctrl-C stops an answer, Ctrl-D leaves, /help lists what else there is');
    await talkOnTerminal({ partners, sampling, sheet, input: process.stdin, output: process.stderr, interrupts });
    return EXIT.done;
  } catch (error) {
    // whoever leaves ends the programs: that they are gone is no failure
    if (!interrupts.left) throw error;
    return EXIT.detached;
  }
}
