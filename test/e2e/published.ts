import { type Ended, type Place, zephyr } from '../rig/zephyr.ts';

export interface Published {
  readonly stage: string;
  readonly fingerprint: string;
  /** content digest */
  readonly digest: string;
}

/** What a run printed as its artifacts, by name of step and bytes, whatever Hub and commit. */
export async function published(place: Place, ended: Ended): Promise<Published[]> {
  if (ended.code !== 0) throw new Error(`Cannot look at what was published: ${ended.stderr}`);
  const found: Published[] = [];
  for (const id of ended.stdout.trim().split('\n')) {
    const { manifest } = JSON.parse((await zephyr(place, 'inspect', id, '--json')).stdout) as { manifest: Published };
    found.push({ stage: manifest.stage, fingerprint: manifest.fingerprint, digest: manifest.digest });
  }
  return found;
}
