import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { TRAIN } from '../backends/environments.ts';
import { refuseNoChatModel, systemTurn } from '../chat/model.ts';
import { openTalker, type Talker } from '../chat/talker.ts';
import { ZephyrError } from '../errors.ts';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';
import type { Target } from '../recipe/target.ts';
import type { Context } from './context.ts';
import { readyEnvironments } from './environment.ts';
import { openScheduler } from './environment-digests.ts';
import { findArtifact } from './read-id.ts';

/** A model that a user names, and the system turn that it was trained with. */
export interface ChatModel {
  readonly ref: ArtifactRef;
  readonly system: 'empty' | 'none';
}

export async function chatModel({ hub }: Context, id: string): Promise<ChatModel> {
  const ref = await findArtifact(hub, id);
  await refuseNoChatModel(hub, ref);
  return { ref, system: await systemTurn(hub, ref) };
}

/** The models in memory, each in a program of its own, until the command ends or its signal is aborted. */
export async function openTalkers(context: Context, target: Target, models: readonly ChatModel[]): Promise<Talker[]> {
  const scheduler = await openScheduler(context, target);
  const talk = scheduler.talk?.bind(scheduler);
  if (talk === undefined)
    throw new ZephyrError(`Cannot chat on backend "${target.backend}": its programs wait in a queue and have no terminal`, {
      hint: 'choose a target of this machine with --on: process, or one with backend docker or podman',
    });
  await readyEnvironments(context, target, [TRAIN]);
  const folder = await modelsFolder(context);
  const node = await scheduler.hardware();
  const device = target.hardware.device === 'auto' ? node.device : target.hardware.device;
  const threads = target.hardware.threads ?? Math.max(1, Math.floor(node.cores / models.length));
  const opening = models.map(async ({ ref }) => {
    const { folder: snapshot } = await context.hub.materialise(ref, folder, { signal: context.signal });
    const conversation = await talk({ folder, program: 'chat', environment: TRAIN, device, threads });
    context.onClose(conversation.close);
    context.signal.addEventListener('abort', () => void conversation.close(), { once: true });
    const name = formatRef(ref)
      .replace(/^hf:\/\/models\//, '')
      .slice(0, -33);
    return await openTalker(conversation, { name, model: relative(folder, snapshot), device, threads });
  });
  return await Promise.all(opening);
}

/** A folder for the files of models, beside the embedded Hub so that they come by hard link; it is gone when the command ends. */
async function modelsFolder({ home, onClose }: Context): Promise<string> {
  await mkdir(home, { recursive: true });
  const folder = await mkdtemp(join(home, 'talking-'));
  onClose(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
