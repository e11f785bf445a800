import { join } from 'node:path';
import { openRemoteHub } from '../../src/hub/remote-hub.ts';
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
  const hub = openRemoteHub({ url: server.url, token, pause: async () => {} });
  return {
    hub,
    close: async () => {
      await server.close();
      if (faults.length > 0) throw faults[0];
    },
  };
});
