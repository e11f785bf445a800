import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ZephyrError } from '../errors.ts';
import { didYouMean } from '../stages/nearest.ts';
import { Complaints } from './complaints.ts';
import { parsed } from './load.ts';
import { type Target, type TrainingStages, targetSpec } from './target.ts';
import { readYaml } from './yaml-file.ts';

/** A target from a file, or by the name of one in `root`/configs/targets. */
export async function loadTarget(
  nameOrFile: string,
  { root, stages }: { readonly root: string; readonly stages: TrainingStages },
): Promise<Target> {
  const yaml = await readYaml(await targetFile(nameOrFile, root), 'target');
  return parsed(targetSpec(stages), yaml.data, new Complaints(yaml));
}

async function targetFile(nameOrFile: string, root: string): Promise<string> {
  if (/[/.]/.test(nameOrFile)) return nameOrFile;
  const folder = join(root, 'configs', 'targets');
  const names = (await readdir(folder)).filter((file) => file.endsWith('.yaml')).map((file) => basename(file, '.yaml'));
  if (names.includes(nameOrFile)) return join(folder, `${nameOrFile}.yaml`);
  throw new ZephyrError(
    `Cannot find target "${nameOrFile}": expected ${names.sort().join(', ')} or a file${didYouMean(nameOrFile, names)}`,
    {
      hint: 'a file is named with its folder or its ending: ./my-target.yaml',
    },
  );
}
