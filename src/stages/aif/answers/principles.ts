import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

export const principleFile = (principle: string) => `templates/principle-${principle}.md`;

/** The wordings of a principle, one a line of its file. */
export async function principleWordings(files: string, principle: string): Promise<string[]> {
  return (await readFile(join(files, principleFile(principle)), 'utf8')).split('\n').filter((line) => line.trim() !== '');
}
