import { EXIT } from '../errors.ts';
import { readManifest } from '../hub/read-ref.ts';
import { formatRef } from '../model/artifact.ts';
import type { Manifest } from '../model/manifest.ts';
import { formatBytes } from '../render/format.ts';
import { type Options, openQuietContext } from './context.ts';
import { plainText, printTable } from './output.ts';
import { findArtifact } from './read-id.ts';
import { setDocument } from './verdict.ts';

/** `zephyr inspect ID`: what an artifact is, what it was made of, and that its bytes are still those. */
export async function inspect([id]: string[], options: Options): Promise<number> {
  await using context = await openQuietContext(options);
  const artifact = await findArtifact(context.hub, id as string);
  const manifest = await readManifest(context.hub, artifact);
  if (manifest === undefined) {
    const files = await context.hub.tree(artifact);
    if (options.json === true) setDocument([formatRef(artifact)], { files });
    else
      await printTable(
        [
          { title: 'file', cut: 'middle' },
          { title: 'size', align: 'right' },
        ],
        files.map(({ path, size }) => [path, formatBytes(size)]),
      );
    return EXIT.done;
  }
  await context.hub.verify(artifact, manifest.files);
  if (options.json === true) setDocument([formatRef(artifact)], { manifest });
  else await show(formatRef(artifact), manifest);
  return EXIT.done;
}

async function show(id: string, manifest: Manifest): Promise<void> {
  const lines = [
    ['id', id],
    ['made by', `${manifest.stage}/${manifest.step}, ${manifest.run}, zephyr ${manifest.zephyr}`],
    ['fingerprint', manifest.fingerprint],
    ['content', `${manifest.digest} (verified)`],
    ...Object.entries(manifest.inputs).map(([name, input]) => [`input ${name}`, formatRef(input)]),
    ...Object.entries(manifest.metrics).map(([name, value]) => [name, plainText(value)]),
    ...manifest.attempts.map((attempt) => [
      `attempt ${attempt.epoch}`,
      `${attempt.backend}, ${attempt.end ?? 'open'}${attempt.resumedFromStep === undefined ? '' : `, from step ${attempt.resumedFromStep}`}`,
    ]),
    ...manifest.files.map(({ path, size }) => [path, formatBytes(size)]),
  ];
  await printTable([{ title: 'what' }, { title: 'value' }], lines);
}
