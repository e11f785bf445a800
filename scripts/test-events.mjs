/** A reporter of node:test: one JSON line for the totals and one for each skipped test, read by test.mjs. */
export default async function* testEvents(source) {
  for await (const { type, data } of source) {
    if (type === 'test:summary' && data.file === undefined) yield `${JSON.stringify({ counts: data.counts })}\n`;
    const reason = data?.skip ?? data?.todo;
    if (type === 'test:pass' && reason !== undefined && reason !== false) {
      yield `${JSON.stringify({ skipped: data.name, reason: reason === true ? 'no reason given' : reason })}\n`;
    }
  }
}
