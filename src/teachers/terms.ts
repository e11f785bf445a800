import type { TeacherSpec } from './spec.ts';
import type { Price, Teacher } from './teacher.ts';

/** What a recipe says of a teacher, as far as the engine of paid calls wants to know it. `where` is for messages. */
export function termsOf(
  spec: TeacherSpec,
  where: string,
): Pick<Teacher, 'name' | 'concurrency' | 'limits' | 'price' | 'reasoningTokens'> {
  const { requestsPerMinute, tokensPerMinute } = spec.limits;
  return {
    name: `${spec.model} at ${where}`,
    concurrency: spec.concurrency,
    limits: { requestsPerMinute, tokensPerMinute },
    price: priceOf(spec),
    reasoningTokens: spec.reasoningTokens,
  };
}

/** `undefined`: nobody knows. The practice teacher is free unless the recipe says otherwise, so a budget can be rehearsed. */
export function priceOf(spec: TeacherSpec): Price | undefined {
  if (spec.price === undefined) return spec.provider === 'practice' ? { input: 0, output: 0, batch: 0.5 } : undefined;
  const { input, output, batch } = spec.price;
  return { input, output, batch };
}
