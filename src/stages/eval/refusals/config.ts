/** Own prompts: what a model should refuse, and what only sounds like it. */
export const PROMPTS_FILE = 'prompts/refusals.jsonl';

export type RefusalPromptsConfig = { readonly version: 1; readonly prompts: 'few' | 'all' };
export type ScoreRefusalsConfig = { readonly version: 1; readonly protocol: Readonly<Record<string, string | number>> };
