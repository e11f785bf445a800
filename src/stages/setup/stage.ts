import type { StageModule } from '../module.ts';

export const setup = {
  name: 'setup',
  about: 'the practice data and the tiny base model of a rehearsal',
  artifact: 'model',
  inputs: [],
  rehearsalOnly: true,
  load: async () => (await import('./body.ts')).body,
} satisfies StageModule;
