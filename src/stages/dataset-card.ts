import { stringify } from 'yaml';

/** The head of a dataset's card: which files belong to which config and split. */
export function datasetCard(
  title: string,
  about: string,
  configs: Readonly<Record<string, Readonly<Record<string, string>>>>,
): string {
  const listed = Object.entries(configs).map(([name, splits]) => ({
    config_name: name,
    data_files: Object.entries(splits).map(([split, path]) => ({ split, path })),
  }));
  return `---\n${stringify({ configs: listed, tags: ['zephyr'] })}---\n\n# ${title}\n\n${about}\n`;
}
