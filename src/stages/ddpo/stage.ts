import type { StageModule } from '../module.ts';

export const ddpo = {
  name: 'ddpo',
  about: 'distilled direct preference optimization',
  artifact: 'model',
  inputs: ['dsft', 'aif'],
  microBatches: { ddpo: 'v0.3 on 80 GB: 8', reward: 'pairs of a reward model', rl: 'answers in reinforcement learning' },
  load: async () => (await import('./body.ts')).body,
} satisfies StageModule;
