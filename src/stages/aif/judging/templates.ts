import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const FORM = 'templates/judge-form.md';
export const judgeFile = (aspect: string) => `templates/judge-${aspect}.md`;

/** The files that a judge step reads, for its fingerprint. */
export function judgeFiles(aspects: readonly string[], overall: boolean): string[] {
  return [FORM, ...[...aspects, ...(overall ? ['overall'] : [])].map(judgeFile)];
}

/** The system turn of the judge: what to rate and how, then the form of the reply. It comes first, so that servers can cache it. */
export async function judgeInstructions(files: string, aspect: string): Promise<string> {
  const [task, form] = await Promise.all([judgeFile(aspect), FORM].map((path) => readFile(join(files, path), 'utf8')));
  return `${task?.trim()}\n\n${form?.trim()}`;
}
