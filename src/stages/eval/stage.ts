import type { StageModule } from '../module.ts';

export const evaluation = {
  name: 'eval',
  about: 'a finished model on a suite of benchmarks, with intervals',
  artifact: 'dataset',
  inputs: ['dsft', 'ddpo'],
  measures: { suites: ['smoke', 'paper', 'modern'] },
  load: async () => (await import('./body.ts')).body,
} satisfies StageModule;
