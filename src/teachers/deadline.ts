const running = new WeakMap<AbortSignal, Set<AbortController>>();

/**
 * Runs `work` with a signal of its own that ends with `signal` or after `ms` milliseconds. Thousands of calls share one
 * `signal`, and its listeners are a list that is walked for each one added: so it gets one listener for all of them.
 */
export async function withDeadline<T>(signal: AbortSignal, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const others = runningUnder(signal);
  others.add(controller);
  if (signal.aborted) controller.abort(signal.reason);
  const timer = setTimeout(() => controller.abort(new DOMException(`No answer within ${ms / 1000} s`, 'TimeoutError')), ms);
  try {
    return await work(controller.signal);
  } finally {
    clearTimeout(timer);
    others.delete(controller);
  }
}

function runningUnder(signal: AbortSignal): Set<AbortController> {
  const known = running.get(signal);
  if (known !== undefined) return known;
  const controllers = new Set<AbortController>();
  running.set(signal, controllers);
  const abortAll = () => {
    for (const controller of controllers) controller.abort(signal.reason);
  };
  signal.addEventListener('abort', abortAll, { once: true });
  return controllers;
}
