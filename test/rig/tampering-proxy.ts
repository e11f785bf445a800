import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What is done to a request: `before` and `after` call `does` before it is passed on, or after it was answered, and the
 * caller never hears an answer; `half` passes on half of the answer's body first. `refuse` answers with the status after
 * the request was passed on.
 */
export interface Tampering {
  readonly method: string;
  readonly path: RegExp;
  readonly how: 'before' | 'after' | 'half' | { readonly refuse: number };
  /** Requests of this kind that are left alone first. */
  readonly skip?: number;
  /** Requests that it is done to; 1 without. */
  readonly times?: number;
  readonly does?: () => void;
}

export interface TamperingProxy {
  /** with the path of the server behind it */
  readonly url: string;
  /** `METHOD PATH` of all requests that were passed on */
  readonly passed: string[];
  /** the parts of files that were asked for */
  readonly ranges: string[];
  /** Instead of what was to be done so far. */
  tamper(tampering: Tampering): void;
  close(): Promise<void>;
}

/** Stands before a server and does things to single requests. */
export async function startProxy(target: string): Promise<TamperingProxy> {
  const { origin, host, pathname } = new URL(target);
  const passed: string[] = [];
  const ranges: string[] = [];
  let armed: { readonly tampering: Tampering; skip: number; times: number } | undefined;

  function found(method: string, path: string): Tampering | undefined {
    if (armed === undefined || armed.tampering.method !== method || !armed.tampering.path.test(path)) return undefined;
    if (armed.skip > 0) {
      armed.skip -= 1;
      return undefined;
    }
    const { tampering } = armed;
    armed.times -= 1;
    if (armed.times === 0) armed = undefined;
    return tampering;
  }

  const server = createServer((incoming, outgoing) => {
    const { method = '', url: path = '' } = incoming;
    const tampering = found(method, path.split('?')[0] ?? '');
    const give = () => {
      outgoing.destroy();
      tampering?.does?.();
    };
    if (tampering?.how === 'before') return give();
    passed.push(`${method} ${path.split('?')[0]}`);
    if (incoming.headers.range !== undefined) ranges.push(incoming.headers.range);
    const onward = request(`${origin}${path}`, { method, headers: { ...incoming.headers, host } }, (answer: IncomingMessage) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const whole = Buffer.concat(chunks);
        // addresses for uploads lead through here as well
        const isBatch = path.endsWith('/info/lfs/objects/batch');
        const body = isBatch ? Buffer.from(whole.toString().replaceAll(origin, `http://${incoming.headers.host}`)) : whole;
        if (isBatch) answer.headers['content-length'] = String(body.length);
        if (tampering?.how === 'after') return give();
        if (typeof tampering?.how === 'object') return void outgoing.writeHead(tampering.how.refuse).end();
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        if (tampering?.how === 'half') outgoing.write(body.subarray(0, body.length / 2), () => setTimeout(give, 50));
        else outgoing.end(body);
      });
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    passed,
    ranges,
    tamper(tampering) {
      armed = { tampering, skip: tampering.skip ?? 0, times: tampering.times ?? 1 };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
