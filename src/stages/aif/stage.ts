import type { StageModule } from '../module.ts';

export const aif = {
  name: 'aif',
  about: 'AI feedback: answers, ratings, preference pairs',
  artifact: 'dataset',
  inputs: ['dsft'],
  load: async () => (await import('./body.ts')).body,
} satisfies StageModule;
