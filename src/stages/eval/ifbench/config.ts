/** `limit`: the first prompts alone. */
export type IfbenchPromptsConfig = { readonly version: 1; readonly limit: number | null };
