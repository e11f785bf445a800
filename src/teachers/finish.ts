/** How a reply ended: by itself, at a limit, by a filter or the model's own refusal, by a fault, or in a way that its word does not tell. */
export type Finish = 'normal' | 'cut' | 'refused' | 'error' | 'unknown';

/**
 * The words that servers have for it. OpenAI, Azure, vLLM, SGLang, llama.cpp and Ollama speak of stop, length, content_filter
 * and abort; TGI and watsonx of eos_token and stop_sequence; Anthropic and Bedrock of end_turn; Mistral of model_length;
 * Gemini, in capitals, of max_tokens, safety and recitation; Cohere of complete; DeepSeek of insufficient_system_resource;
 * GLM of sensitive; LM Studio of eosFound. A call of a tool ends no answer and cuts none off, so it is in no row.
 */
const WORDS: Readonly<Record<Exclude<Finish, 'unknown'>, readonly string[]>> = {
  normal: [
    ...['stop', 'stopped', 'stop_sequence', 'stop_string', 'stop_string_found', 'stop_token', 'stop_criteria_met', 'stop_word'],
    ...['eos', 'eos_token', 'eos_found', 'eog_token', 'eot', 'eot_id', 'end_of_text', 'end_of_turn', 'end_of_sequence'],
    ...['end', 'end_turn', 'end_token', 'endoftext', 'complete', 'completed', 'finish', 'finished', 'done', 'success', 'normal'],
  ],
  cut: [
    ...['length', 'max_length', 'max_len', 'model_length', 'context_length', 'context_length_reached', 'truncated', 'limit'],
    ...['max_tokens', 'max_new_tokens', 'max_output_tokens', 'max_completion_tokens', 'max_predicted_tokens_reached'],
    ...['max_tokens_reached', 'token_limit', 'token_limit_reached', 'max_context_length', 'model_context_window_exceeded'],
    ...['context_window_exceeded', 'time_limit', 'max_time', 'incomplete', 'not_finished', 'pause_turn', 'error_limit'],
  ],
  refused: [
    ...['content_filter', 'content_filtered', 'content_filter_error', 'content_policy', 'safety', 'refusal', 'refused'],
    ...['recitation', 'blocklist', 'blocked', 'prohibited_content', 'spii', 'language', 'model_armor', 'image_safety'],
    ...['guardrail', 'guardrails', 'guardrail_intervened', 'moderation', 'sensitive', 'error_toxic', 'flagged'],
  ],
  error: [
    ...['error', 'failed', 'failure', 'abort', 'aborted', 'cancel', 'cancelled', 'canceled', 'user_cancel', 'user_stopped'],
    ...['interrupted', 'timeout', 'network_error', 'server_error', 'insufficient_system_resource', 'model_unloaded', 'unload'],
    ...['malformed_function_call', 'malformed_response', 'malformed_model_output', 'unexpected_tool_call', 'repetition'],
  ],
};

const BY_WORD: ReadonlyMap<string, Finish> = new Map(
  Object.entries(WORDS).flatMap(([finish, words]) => words.map((word) => [plain(word), finish as Finish])),
);

/** What a server's `finish_reason` means, however it writes the word: `MAX_TOKENS`, `max-tokens`, `FinishReason.MAX_TOKENS`. */
export function finishOf(reason: string): Finish {
  return BY_WORD.get(plain(reason.split('.').at(-1) ?? '')) ?? 'unknown';
}

function plain(word: string): string {
  return word
    .toLowerCase()
    .replaceAll(/[^a-z]/g, '')
    .replace(/^finishreason/, '');
}
