import { sha256 } from '../base/sha256.ts';
import { PROVIDERS } from './providers.ts';
import type { TeacherSpec } from './spec.ts';
import type { Price, Teacher } from './teacher.ts';

type TeacherTerms = Pick<
  Teacher,
  'name' | 'where' | 'server' | 'model' | 'concurrency' | 'awayMs' | 'limits' | 'price' | 'reasoningTokens'
>;

/** What a recipe says of a teacher, as far as the engine of paid calls wants to know it. `where`: its address, or in words. */
export function termsOf(spec: TeacherSpec, where: string, secret: string | undefined): TeacherTerms {
  const { requestsPerMinute, tokensPerMinute } = spec.limits;
  return {
    name: `${spec.model} at ${where}`,
    where,
    server: sha256([where.replace(/\/+$/, '').toLowerCase(), secret ?? '', spec.billTo ?? ''].join('\0')),
    model: spec.model,
    awayMs: spec.awaySeconds === undefined ? undefined : spec.awaySeconds * 1000,
    concurrency: spec.concurrency,
    limits: { requestsPerMinute, tokensPerMinute },
    price: priceOf(spec),
    reasoningTokens: spec.reasoningTokens,
  };
}

/** `undefined`: not known. The practice teacher is free unless the recipe says otherwise, so a budget can be rehearsed. */
export function priceOf(spec: TeacherSpec): Price | undefined {
  if (spec.price === undefined) return spec.provider === 'practice' ? { input: 0, output: 0, batch: 0.5 } : undefined;
  const { input, output, batch } = spec.price;
  return { input, output, batch };
}

/**
 * The environment variable that holds a teacher's key, if it needs one: without a word in the recipe the provider's usual
 * one, but never for an address that the recipe names.
 */
export function keyName({ provider, keyFrom, baseUrl }: TeacherSpec): string | undefined {
  if (provider === 'practice') return undefined;
  return keyFrom !== undefined || baseUrl !== undefined ? keyFrom : PROVIDERS[provider].key;
}
