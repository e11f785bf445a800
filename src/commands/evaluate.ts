import { loadStages, type StageModule } from '../stages/module.ts';
import { type Options, openContext } from './context.ts';
import { detached } from './detached.ts';
import { finishedModel } from './finished-model.ts';
import { work } from './work.ts';

/** `zephyr STAGE ID [RECIPE]`, of a stage that measures finished models. */
export const evaluate =
  (name: string) =>
  async (
    [id, file]: string[],
    options: Options & { readonly suite?: string },
    modules: readonly StageModule[],
  ): Promise<number> => {
    const registry = await loadStages(modules);
    await using context = await openContext(options);
    const asked = await finishedModel(context, { stage: name, id: id as string, file }, options, registry);
    return await detached(
      context,
      async () => await work(context, options, { ...asked, registry, stages: [name], stageInputs: {} }),
    );
  };
