import { join } from 'node:path';
import { RemoteHub } from '../../src/hub/remote-hub.ts';
import { startHubServer } from '../../src/hub-server/server.ts';
import { openStore } from '../../src/store/store.ts';
import { hubContract } from '../contracts/hub.ts';

const token = 'hf_test';

hubContract('A remote Hub', async (folder) => {
  const faults: unknown[] = [];
  const server = await startHubServer({
    store: await openStore(join(folder, 'hub')),
    token,
    secret: 'secret',
    onFault: (error) => faults.push(error),
  });
  const hub = new RemoteHub({ url: server.url, token, pause: async () => {} });
  return {
    hub,
    close: async () => {
      await server.close();
      if (faults.length > 0) throw faults[0];
    },
  };
});
