/** Tokens that a server says it bills for a call; `undefined` where it does not say, or says what cannot be. */
export interface BilledTokens {
  readonly input: number | undefined;
  readonly output: number | undefined;
}

/** Beyond it a number of tokens is a slip of the server. */
const MOST = 0xffffffff;

/**
 * Reads the member `usage` of a chat completion, whatever it is. Output is the larger of `completion_tokens` and the total
 * less the prompt: several gateways bill reasoning that is in the total alone, while OpenAI counts it in the completion, so
 * that nothing is added there. Cached input counts in full; Anthropic's servers and some gateways leave it out of the prompt.
 */
export function readUsage(usage: unknown): BilledTokens {
  const said = membersOf(usage);
  const prompt = positive(count(said.prompt_tokens ?? said.input_tokens));
  const completion = count(said.completion_tokens ?? said.output_tokens);
  const total = positive(count(said.total_tokens));
  const input = prompt === undefined ? rest(total, completion) : prompt + cachedOutside(said, prompt, completion, total);
  const beyond = rest(total, input);
  if (beyond !== undefined) return { input, output: Math.max(completion ?? 0, beyond) };
  const reasoning = count(membersOf(said.completion_tokens_details ?? said.output_tokens_details).reasoning_tokens);
  // If the server counts more thinking than reply, the thinking is not counted in the reply.
  const outside = total === undefined && reasoning !== undefined && reasoning > (completion ?? 0) ? reasoning : 0;
  return { input, output: completion === undefined && outside === 0 ? undefined : (completion ?? 0) + outside };
}

/** Cached tokens of the prompt that its count leaves out: more than it has, or just what the sum lacks. */
function cachedOutside(
  said: Record<string, unknown>,
  prompt: number,
  completion: number | undefined,
  total: number | undefined,
): number {
  const own = (count(said.cache_read_input_tokens) ?? 0) + (count(said.cache_creation_input_tokens) ?? 0);
  const cached = own > 0 ? own : (count(membersOf(said.prompt_tokens_details).cached_tokens) ?? 0);
  return cached > prompt || prompt + cached + (completion ?? 0) === total ? cached : 0;
}

function rest(total: number | undefined, part: number | undefined): number | undefined {
  return total === undefined || part === undefined || total < part ? undefined : total - part;
}

function membersOf(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {};
}

/** A number, or its text, in whole tokens; nothing that is negative or no number. */
function count(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && number >= 0 && number <= MOST ? Math.ceil(number) : undefined;
}

/** A call has a prompt: none is not what it took. */
function positive(tokens: number | undefined): number | undefined {
  return tokens === 0 ? undefined : tokens;
}
