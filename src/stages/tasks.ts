import type { Task } from './stage.ts';

/** The in-process steps by the name that `Step.work.task` has; each is loaded when it runs. */
export const tasks: Readonly<Record<string, Task>> = {
  construct: async (context) => (await import('./dsft/dialogues/construct.ts')).construct(context),
  prompts: async (context) => (await import('./aif/prompts/prompts.ts')).prompts(context),
  draw: async (context) => (await import('./aif/answers/assign.ts')).assign(context),
  generate: async (context) => (await import('./aif/answers/generate.ts')).generate(context),
  judge: async (context) => (await import('./aif/judge/judge.ts')).judge(context),
  delta: async (context) => (await import('./aif/pairs/delta.ts')).delta(context),
  binarize: async (context) => (await import('./aif/pairs/binarize.ts')).binarize(context),
  rebinarize: async (context) => (await import('./aif/pairs/rebinarize.ts')).rebinarize(context),
  'pass-pairs': async (context) => (await import('./aif/pairs/pass-pairs.ts')).passPairs(context),
  world: async (context) => (await import('./setup/synthetic-data.ts')).world(context),
  score: async (context) => (await import('./exam/score.ts')).score(context),
};
