import { textOf } from '../../../datasets/conversation.ts';
import { ASKED_COLUMNS } from '../../../datasets/listed.ts';
import { allFiles, openSplit, placedRows } from '../../../datasets/rows.ts';
import { ZephyrError } from '../../../errors.ts';
import type { TaskContext } from '../../stage.ts';
import { inputFolder } from '../../step-config.ts';
import { Contamination } from './contamination.ts';
import type { PromptsConfig } from './step.ts';

type Benchmark = PromptsConfig['benchmarks'][number];

/** What no prompt may hold. Refuses a benchmark without a question, since it would find nothing. */
export async function readBenchmarks(
  context: TaskContext,
  benchmarks: readonly Benchmark[],
  ngram: number,
): Promise<Contamination> {
  const found = new Contamination(ngram);
  for (const benchmark of benchmarks) {
    let items = 0;
    for await (const { number, text } of itemsOf(benchmark, inputFolder(context, benchmark.input))) {
      items += 1;
      found.add(benchmark.name, number, text);
    }
    if (items === 0)
      throw new ZephyrError(
        `Cannot read benchmark "${benchmark.name}": expected text in ${benchmark.column ?? `one of ${ASKED_COLUMNS.join(', ')}`}`,
        { hint: 'Name its column in aif.prompts.decontaminate.' },
      );
  }
  return found;
}

async function* itemsOf(
  { name, config, split, column }: Benchmark,
  folder: string,
): AsyncGenerator<{ readonly number: number; readonly text: string }> {
  const rows =
    split === null ? { files: await allFiles(folder), promised: undefined } : await openSplit(folder, { config, split });
  const columns = column === null ? { columns: ASKED_COLUMNS } : { columns: [column], required: column };
  for await (const { at, number, row } of placedRows(rows, columns)) {
    if (row === undefined) throw new ZephyrError(`Cannot read benchmark "${name}", ${at}: expected a JSON object`);
    const text = columns.columns.map((each) => textOf(row[each])).find((each) => each !== undefined);
    if (text !== undefined && text.trim() !== '') yield { number, text };
  }
}
