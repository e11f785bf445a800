interface Provider {
  /** for the help of a recipe */
  readonly about: string;
  /** its usual address, and the environment variable that holds the key to it */
  readonly address: string | undefined;
  readonly key: string | undefined;
  /** Each of its servers has an address of its own, which a recipe has to name. */
  readonly needsAddress?: true;
}

const TABLE = {
  openai: { about: 'any OpenAI-compatible server', address: 'https://api.openai.com/v1', key: 'OPENAI_API_KEY' },
  huggingface: { about: 'Inference Providers or an endpoint', address: undefined, key: 'HF_TOKEN' },
  'self-hosted': {
    about: 'a vLLM, TGI or SGLang server of your own over a leaner client, for thousands of calls a second',
    address: undefined,
    key: undefined,
    needsAddress: true,
  },
} as const satisfies Readonly<Record<string, Provider>>;

export type ProviderName = keyof typeof TABLE;
/** The providers that a recipe may name for a teacher, but for the practice teacher, which is asked as one of them. */
export const PROVIDERS: Readonly<Record<ProviderName, Provider>> = TABLE;
export const PROVIDER_NAMES = Object.keys(TABLE) as [ProviderName, ...ProviderName[]];
