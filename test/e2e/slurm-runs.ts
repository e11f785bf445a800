import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeQuestionBank } from '../../src/practice/question-bank.ts';
import { type Place, python, zephyr } from '../rig/zephyr.ts';
import { importFolder } from './early-stop.ts';
import { type Published, published } from './published.ts';
import { importBase } from './tiny.ts';

/** A training of two ranks that saves often and is over in seconds: what takes time here is Slurm. */
const RECIPE = `
name: queued
namespace: test
seed: 7
base: hf://models/test/base
dsft:
  data: {source: datasets, datasets: [{ref: hf://datasets/test/rows, train: train_sft, test: null}]}
  prepare: {maxLength: 128, packing: false}
  train: {learningRate: 1.0e-3, epochs: 100, maxSteps: 120, globalBatch: 8, dtype: float32, gradientCheckpointing: false, saveSteps: 10}
aif: {source: pairs, ref: hf://datasets/test/rows}
ddpo:
  train: {beta: 0.1, learningRate: 1.0e-4, epochs: 1, globalBatch: 4}
`;

/** Homes that begin with the same base and the same prepared rows, so that a run has a training left and no more. */
export class Runs {
  readonly folder: string;
  readonly recipe: string;
  /** what one process with two ranks makes of the recipe, that nobody stops */
  whole: readonly Published[] = [];
  private targets = 0;

  private constructor(folder: string) {
    this.folder = folder;
    this.recipe = join(folder, 'queued.yaml');
  }

  static async ready(): Promise<Runs> {
    const runs = new Runs(await mkdtemp(join(tmpdir(), 'zephyr-queued-')));
    const rows = makeQuestionBank(7).phrasings.slice(0, 64);
    const lines = rows.map(({ text }, index) => {
      const messages = [
        { role: 'user', content: text },
        { role: 'assistant', content: `That is answer ${index}.` },
      ];
      return JSON.stringify({ prompt_id: `p${index}`, messages });
    });
    await mkdir(join(runs.folder, 'rows'));
    await writeFile(join(runs.folder, 'rows', 'train_sft.jsonl'), `${lines.join('\n')}\n`);
    await writeFile(runs.recipe, RECIPE);
    const place = { home: join(runs.folder, 'home') };
    await importBase(place);
    await importFolder(place, join(runs.folder, 'rows'), 'hf://datasets/test/rows');
    const here = await runs.target({ backend: 'process', options: {} }, 1);
    runs.whole = await published(place, await zephyr(place, 'dsft', runs.recipe, '--on', here));
    await rm(join(place.home, 'hub', 'repos', 'models', 'test', 'queued-dsft'), { recursive: true });
    return runs;
  }

  /** A home of one test's own; `conf` names the cluster. */
  async place(conf: string): Promise<Place> {
    const home = await mkdtemp(join(tmpdir(), 'zephyr-home-'));
    await cp(join(this.folder, 'home', 'hub'), join(home, 'hub'), { recursive: true, verbatimSymlinks: true });
    return { home, env: { SLURM_CONF: conf } };
  }

  /** Two ranks on a cluster, on one node or on two. */
  async on(nodes: 1 | 2, options: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const common = { runtime: { kind: 'python', python }, partition: 'low' };
    return await this.target({ backend: 'slurm', options: { ...common, ...options } }, nodes);
  }

  private async target(backend: object, nodes: 1 | 2): Promise<string> {
    const file = join(this.folder, `target-${this.targets++}.yaml`);
    const hardware = { device: 'cpu', threads: 1, nodes, processes: 2 / nodes, microBatch: { dsft: 4 } };
    await writeFile(file, JSON.stringify({ ...backend, hardware, cadence: { logSteps: 10, heartbeatSeconds: 1 } }));
    return file;
  }
}
