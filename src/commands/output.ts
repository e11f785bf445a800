import { type Column, tableLines } from '../render/table.ts';
import { loadWidths } from '../render/text-width.ts';

/** Data goes to stdout: fitted to a terminal, never cut in a pipe. */
export async function printTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  stream: NodeJS.WriteStream = process.stdout,
): Promise<void> {
  const width = stream.isTTY ? stream.columns : Number.POSITIVE_INFINITY;
  await loadWidths(rows.flat());
  stream.write(`${tableLines(columns, rows, { width, color: stream.hasColors?.() ?? false }).join('\n')}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** A value of a recipe or a manifest in one cell. */
export function plainText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing');
}
