import { join } from 'node:path';
import { EXIT, ZephyrError } from '../errors.ts';
import { type Options, openQuietContext } from './context.ts';
import { watchSignals } from './interrupt.ts';

/** `zephyr hub serve`: until Ctrl-C; stdout holds what a shell evaluates to use it. */
export async function serveHub(options: Options & { readonly port?: string }): Promise<number> {
  await using context = await openQuietContext(options, watchSignals());
  const { startHubServer } = await import('../hub-server/server.ts');
  const { openStore } = await import('../store/store.ts');
  const { hubToken, signingSecret } = await import('../store/secrets.ts');
  const port = Number(options.port ?? 7600);
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new ZephyrError(`Cannot listen on port "${options.port}": expected a number from 0 to 65535`);
  const store = await openStore(join(context.home, 'hub'));
  const server = await startHubServer({ store, port, token: await hubToken(store), secret: await signingSecret(store) });
  process.stderr.write(`The embedded Hub listens; Ctrl-C ends it. In another shell:\n`);
  process.stdout.write(
    `export HF_ENDPOINT=${server.url}\nexport HF_TOKEN_PATH=${join(context.home, 'hub', 'token')}\nexport HF_HUB_DISABLE_XET=1\n`,
  );
  await new Promise((resolve) => context.signal.addEventListener('abort', resolve, { once: true }));
  await server.close();
  return EXIT.done;
}
