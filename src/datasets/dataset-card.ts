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

/** A table of Markdown whose cells may hold anything. */
export function markdownTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.map(markdownCell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function markdownCell(value: string | number): string {
  return String(value).replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll(/\s+/g, ' ');
}
