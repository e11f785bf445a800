/** A reporter of node:test: one JSON line for the totals and one for each test that was skipped, read by test.mjs. */
export default async function* testEvents(source) {
  for await (const { type, data } of source) {
    if (type === 'test:summary' && data.file === undefined) yield `${JSON.stringify({ counts: data.counts })}\n`;
    // a test marked "todo" asserts nothing, whether it passes or fails: that is a skip by another name
    const reason = data?.skip ?? data?.todo;
    if ((type === 'test:pass' || type === 'test:fail') && reason !== undefined && reason !== false) {
      yield `${JSON.stringify({ skipped: data.name, reason: reason === true ? 'no reason given' : reason })}\n`;
    }
  }
}
