import assert from 'node:assert/strict';
import { it } from 'node:test';
import { canHave } from '../../src/backends/registry.ts';

it('A target can have a Python environment that zephyr makes or that it names an image or interpreter of', () => {
  const image = 'zephyr-train';
  const slurm = (options: object) => ({ backend: 'slurm', options });
  const targets = {
    process: { backend: 'process', options: {} },
    docker: { backend: 'docker', options: { image } },
    'docker with images': { backend: 'docker', options: { image, images: { more: 'zephyr-more' } } },
    podman: { backend: 'podman', options: { image } },
    slurm: slurm({}),
    'slurm elsewhere': slurm({ login: 'me@there' }),
    'slurm elsewhere, named': slurm({
      login: 'me@there',
      runtime: { kind: 'python', pythons: { more: '/opt/more/bin/python' } },
    }),
    'slurm in images': slurm({ runtime: { kind: 'apptainer', image: '/shared/train.sif' } }),
    'slurm in images, named': slurm({ runtime: { kind: 'pyxis', image, images: { more: 'more.sqsh' } } }),
  };
  const having = Object.entries(targets).flatMap(([name, target]) => (canHave(target, 'more') ? [name] : []));
  assert.deepEqual(having, ['process', 'docker with images', 'slurm', 'slurm elsewhere, named', 'slurm in images, named']);
  for (const name of ['docker', 'podman', 'slurm in images'] as const) assert.ok(canHave(targets[name], 'train'), name);
});
