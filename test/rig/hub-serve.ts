// The embedded Hub for clients in other languages: serves the store of argv[2] until stdin ends, and says where on stdout.

import { startHubServer } from '../../src/hub-server/server.ts';
import { hubToken, signingSecret } from '../../src/store/secrets.ts';
import { openStore } from '../../src/store/store.ts';

const store = await openStore(process.argv[2] ?? '');
const token = await hubToken(store);
const onFault = (error: unknown): void => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
};
const server = await startHubServer({
  store,
  token,
  secret: await signingSecret(store),
  port: Number(process.argv[3] ?? 0),
  onFault,
});
process.stdout.write(`${JSON.stringify({ url: server.url, token })}\n`);
process.stdin.resume().on('end', () => {
  void server.close();
});
