/** Model families by the names of their models and of models that were made from these. */
const FAMILIES: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['gpt', /gpt|chatgpt|davinci|^o[134](-|$)/],
  ['claude', /claude/],
  ['gemini', /gemini|^bard/],
  ['gemma', /gemma/],
  ['deepseek', /deepseek/],
  ['qwen', /qwen|^qwq/],
  ['mistral', /mistral|mixtral|ministral|zephyr/],
  ['llama', /llama|vicuna|alpaca|wizardlm|ultralm|tulu/],
  ['phi', /(^|-)phi-?\d/],
  ['command', /^(c4ai-)?command/],
  ['olmo', /olmo/],
  ['yi', /^yi-/],
  ['falcon', /falcon/],
];

/** The family of a model id such as `meta-llama/Llama-3.1-8B-Instruct`; `undefined` when it is not known. */
export function familyOf(model: string): string | undefined {
  const name = (model.split('/').at(-1) ?? '').split('@')[0]?.toLowerCase() ?? '';
  return FAMILIES.find(([, pattern]) => pattern.test(name))?.[0];
}

/**
 * Families of judges that have a model among those judged: judges are known to favour their own kind. A model of no known
 * family is a family of its own.
 */
export function familyOverlap(judges: Iterable<string>, models: Iterable<string>): string[] {
  const kindOf = (model: string) => familyOf(model) ?? model;
  const judged = new Set([...models].map(kindOf));
  return [...new Set([...judges].map(kindOf).filter((kind) => judged.has(kind)))].sort();
}
