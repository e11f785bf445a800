import { noteLines, type Sheet } from '../chat/answers.ts';
import { painter } from '../render/paint.ts';

/** Answers go to stdout, what is said of them to stderr. */
export function openSheet(): Sheet {
  const { stdout, stderr } = process;
  const paint = painter(stderr.hasColors?.() ?? false);
  return {
    write: (text) => stdout.write(text),
    note: (text) => stderr.write(`${paint('dim', noteLines(text, stderr.isTTY ? stderr.columns : 80))}\n`),
    // read anew for each answer: a window changes its size
    get size() {
      return stdout.isTTY ? { columns: stdout.columns, rows: stdout.rows } : undefined;
    },
  };
}
