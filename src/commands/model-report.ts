import { join, resolve } from 'node:path';
import { EXIT } from '../errors.ts';
import { formatRef } from '../model/artifact.ts';
import { redactDeep, redactor } from '../render/redact.ts';
import { writeReport } from '../report/model-report/write-report.ts';
import type { StageModule } from '../stages/module.ts';
import { type Options, openQuietContext } from './context.ts';
import { findArtifact } from './read-id.ts';
import { reportFacts } from './report-facts.ts';
import { knownSecrets } from './secrets.ts';
import { setDocument } from './verdict.ts';

type ReportOptions = Options & { readonly out?: string; readonly markdown?: string };

/** `zephyr report ID`: how an artifact was made and how good it is, as one page to share and, for a CI, in Markdown. */
export async function modelReport([id]: string[], options: ReportOptions, stages: readonly StageModule[]): Promise<number> {
  await using context = await openQuietContext(options);
  const ref = await findArtifact(context.hub, id as string);
  const { facts, recipe } = await reportFacts(context, ref, stages);
  const page = resolve(options.out ?? `${ref.name.split('/').at(-1)}-report.html`);
  const markdown = options.markdown === undefined ? undefined : resolve(options.markdown);
  const redact = redactor(knownSecrets);
  await writeReport(redactDeep(facts, redact) as typeof facts, {
    page,
    markdown,
    script: join(context.root, 'dist', 'report-page.js'),
    recipe: redactDeep(recipe, redact) as typeof recipe,
  });
  if (options.json === true) {
    const { artifacts, evaluations } = facts;
    setDocument([formatRef(ref)], {
      file: page,
      markdown,
      artifacts: artifacts.length,
      evaluations: evaluations.map((each) => each.id),
    });
  } else process.stdout.write(`${page}\n`);
  return EXIT.done;
}
