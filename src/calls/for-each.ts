import PQueue from 'p-queue';

/**
 * Works through `items` with at most `limit` of them in hand, taken only as fast as they are worked off. After the first
 * error no further item is taken; it is thrown when those in hand have ended.
 */
export async function forEachAtOnce<T>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = new PQueue({ concurrency: limit });
  const errors: unknown[] = [];
  for await (const item of items) {
    if (errors.length > 0) break;
    void queue.add(() => work(item)).catch((error: unknown) => errors.push(error));
    await queue.onSizeLessThan(1);
  }
  await queue.onIdle();
  if (errors.length > 0) throw errors[0];
}
