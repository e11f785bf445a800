import type { StageModule } from '../module.ts';

export const exam = {
  name: 'exam',
  about: 'the three models of a rehearsal on held-out prompts',
  artifact: 'dataset',
  inputs: ['dsft', 'ddpo'],
  rehearsalOnly: true,
  load: async () => (await import('./body.ts')).body,
} satisfies StageModule;
