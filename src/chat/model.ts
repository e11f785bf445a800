import * as z from 'zod';
import { ZephyrError } from '../errors.ts';
import type { Hub } from '../hub/hub.ts';
import { readManifest } from '../hub/read-ref.ts';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import { EVALUATION_FILE, evaluation } from '../model/evaluation.ts';
import type { Manifest } from '../model/manifest.ts';
import { readJson, writesNoText } from '../plan/stage-inputs.ts';

/** How far above a model the step is looked for that rendered what it learned from. */
const GENERATIONS = 4;

const rendering = z.looseObject({ config: z.looseObject({ system: z.enum(['empty', 'none']) }) });

/** Throws a `ZephyrError` unless these files are a model that was made to talk. */
export async function refuseNoChatModel(hub: Hub, ref: ArtifactRef): Promise<void> {
  const id = formatRef(ref);
  const refuse = (what: string, hint: string): never => {
    throw new ZephyrError(`Cannot chat with ${id}: ${what}`, { exit: 'preflight', hint });
  };
  if (ref.type === 'dataset') {
    const evaluated = evaluation.safeParse(await readJson(hub, ref, EVALUATION_FILE)).data?.model;
    if (evaluated === undefined) refuse('it is a dataset, expected a model', 'zephyr hub ls lists what is there');
    else refuse('it is an evaluation, expected a model', `the model that it is of: zephyr chat ${formatRef(evaluated)}`);
  }
  const paths = new Set((await hub.tree(ref)).map(({ path }) => path));
  if (paths.has('adapter_config.json') && !paths.has('config.json'))
    refuse('it is an adapter without its base', 'the merged model is the artifact of its stage, which zephyr status shows');
  if (!paths.has('config.json') || !paths.has('tokenizer.json'))
    refuse('it holds no model, expected config.json and tokenizer.json', `zephyr inspect ${id} shows what it holds`);
  const fault = await writesNoText(hub, ref);
  if (fault !== undefined) refuse(fault, 'expected a causal language model');
  if (!(await hasTemplate(hub, ref, paths)))
    refuse(
      'it is no chat model: its tokenizer has no chat template',
      'a stage of training makes one of it: zephyr plan RECIPE shows them',
    );
}

async function hasTemplate(hub: Hub, ref: ArtifactRef, paths: ReadonlySet<string>): Promise<boolean> {
  if (paths.has('chat_template.jinja')) return true;
  return (
    z.looseObject({ chat_template: z.unknown() }).safeParse(await readJson(hub, ref, 'tokenizer_config.json')).data
      ?.chat_template != null
  );
}

/**
 * Whether dialogues without a system turn got an empty one when the model learned from them: its answers depend on it. Told
 * by the step that rendered its data, which its manifest leads to; `none` of a model whose data nobody recorded.
 */
export async function systemTurn(hub: Hub, ref: ArtifactRef): Promise<'empty' | 'none'> {
  let open = [await readManifest(hub, ref)];
  for (let generation = 0; generation < GENERATIONS && open.length > 0; generation += 1) {
    const made = open.filter((manifest) => manifest !== undefined);
    for (const { ingredients } of made) {
      const found = rendering.safeParse(ingredients).data;
      if (found !== undefined) return found.config.system;
    }
    open = await Promise.all(made.flatMap(parents).map((parent) => readManifest(hub, parent).catch(() => undefined)));
  }
  return 'none';
}

const parents = ({ inputs }: Manifest): ArtifactRef[] =>
  Object.values(inputs).map(({ type, name, commit }) => ({ type, name, commit }));
