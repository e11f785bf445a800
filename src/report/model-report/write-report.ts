import { appendFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { ZephyrError } from '../../errors.ts';
import type { ReportFacts, ReportRecipe } from './facts.ts';
import { modelReportMarkdown } from './markdown.ts';
import { modelReportPage } from './page.ts';

/** Where the parts of a report go, and what it is drawn with. */
export interface ReportPlaces {
  readonly page: string;
  /** a file to which the Markdown is added, which a CI may share among the steps of a job */
  readonly markdown: string | undefined;
  /** the built script of the page */
  readonly script: string;
  readonly recipe: ReportRecipe | undefined;
}

/** Writes the page, which is there whole or not at all, and adds the Markdown where one is wanted. */
export async function writeReport(facts: ReportFacts, { page, markdown, script, recipe }: ReportPlaces): Promise<void> {
  const code = await readFile(script, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ZephyrError(`Cannot read "${script}", which draws the plots`, { hint: 'npm run build makes it', cause: error });
  });
  const temporary = `${page}.tmp`;
  try {
    await writeFile(temporary, modelReportPage(facts, { script: code, recipe }));
    await rename(temporary, page);
    if (markdown !== undefined) await appendFile(markdown, modelReportMarkdown(facts));
  } catch (error) {
    await rm(temporary, { force: true });
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const file = (error as NodeJS.ErrnoException).path === markdown ? markdown : page;
    throw new ZephyrError(`Cannot write "${file}": expected a folder that is there`, { cause: error });
  }
}
