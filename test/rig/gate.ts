import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';

/** Whether a call that comes when so many were let through has to wait. */
type When = (passed: number) => boolean | Promise<boolean>;

export interface Gate {
  /** with the path of the server behind it */
  readonly url: string;
  /** Keeps the first call waiting for which `when` holds, and all that come after it; resolves when there is one. */
  hold(when: When): Promise<void>;
  /** Lets through what waits, and what comes. */
  open(): void;
  /** Nobody is there any more: connections break, and new ones are refused. */
  leave(): Promise<void>;
  /** At the same address again. */
  comeBack(): Promise<void>;
  close(): Promise<void>;
}

/** Stands before a teacher, so that a test and not the clock says how far a run is when something happens to it. */
export async function startGate(target: string): Promise<Gate> {
  const { origin, pathname } = new URL(target);
  let rule: { readonly when: When; isShut: boolean; readonly held: Resolvers; readonly opened: Resolvers } | undefined;
  let passed = 0;

  async function wait(): Promise<void> {
    const now = rule;
    if (now !== undefined && (now.isShut || (await now.when(passed)))) {
      now.isShut = true;
      now.held.resolve();
      await now.opened.promise;
    }
    passed += 1;
  }

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method, url: path = '', headers } = incoming;
    if (method === 'POST' && path.endsWith('/chat/completions')) await wait();
    const onward = request(`${origin}${path}`, { method, headers, agent: false }, (answer) => {
      // a teacher answers, and is paid, whoever still listens
      if (outgoing.destroyed) return void answer.resume();
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      pipeline(answer, outgoing, () => undefined);
    });
    onward.on('error', () => outgoing.destroy());
    pipeline(incoming, onward, () => undefined);
  }

  const server = createServer((incoming, outgoing) => void pass(incoming, outgoing));
  server.keepAliveTimeout = 60_000;
  const listen = (at: number) => new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const leave = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return {
    url: `http://127.0.0.1:${port}${pathname}`,
    leave,
    comeBack: () => listen(port),
    hold(when) {
      const held = Promise.withResolvers<void>();
      rule = { when, isShut: false, held, opened: Promise.withResolvers() };
      return held.promise;
    },
    open() {
      rule?.opened.resolve();
      rule = undefined;
    },
    close: leave,
  };
}

type Resolvers = PromiseWithResolvers<void>;
