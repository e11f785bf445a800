import { textOf } from '../../../datasets/conversation.ts';
import { ASKED_COLUMNS } from '../../../datasets/listed.ts';
import { allFiles, openSplit, placedRows } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import type { TaskContext } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import { type Contamination, contamination } from './contamination.ts';
import type { PromptsConfig } from './step.ts';

/** What no prompt may hold. Refuses a benchmark in which nothing is asked: it would clean of nothing. */
export async function readBenchmarks(
  context: TaskContext,
  benchmarks: PromptsConfig['benchmarks'],
  ngram: number,
): Promise<Contamination> {
  const found = contamination(ngram);
  for (const { name, input, config, split, column } of benchmarks) {
    let items = 0;
    const folder = inputFolder(context, input);
    const rows =
      split === null ? { files: await allFiles(folder), promised: undefined } : await openSplit(folder, { config, split });
    const columns = column === null ? { columns: ASKED_COLUMNS } : { columns: [column], required: column };
    for await (const { at, number, row } of placedRows(rows, columns)) {
      if (row === undefined) throw new ZephyrError(`Cannot read benchmark "${name}", ${at}: expected a JSON object`);
      const text = columns.columns.map((each) => textOf(row[each])).find((each) => each !== undefined);
      if (text === undefined || text.trim() === '') continue;
      items += 1;
      found.add(name, number, text);
    }
    if (items === 0)
      throw new ZephyrError(
        `Cannot read benchmark "${name}": expected text in ${column ?? `one of ${ASKED_COLUMNS.join(', ')}`}`,
        {
          hint: 'Name its column in aif.prompts.decontaminate.',
        },
      );
  }
  return found;
}
