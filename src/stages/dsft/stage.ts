import type { StageModule } from '../module.ts';

export const dsft = {
  name: 'dsft',
  about: 'distilled supervised fine-tuning',
  artifact: 'model',
  inputs: [],
  microBatches: { dsft: 'v0.3 on 80 GB: 16' },
  load: async () => (await import('./body.ts')).body,
} satisfies StageModule;
