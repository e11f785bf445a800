import type * as z from 'zod';
import type { Mistake, Path } from '../stages/mistake.ts';
import { didYouMean, nearest } from '../stages/nearest.ts';
import { namesSecret, showValue } from './hide-secrets.ts';
import { knownKeys, knownTags } from './known-keys.ts';

/**
 * Every mistake in the data. What tells the members of a union apart (`backend: dockr`) hides all that stands beside it when
 * it is misspelt, and a mapping that is missing hides what it must have: the data is then looked at again as it was meant.
 */
export function mistakesIn(schema: z.ZodType, data: unknown): Mistake[] {
  const { error } = schema.safeParse(data);
  if (error === undefined) return [];
  const meant = structuredClone(data);
  const known: Mistake[] = [];
  for (const issue of error.issues) {
    const [mistake] = mistakesOfIssue(issue, schema, data);
    const better = mistake === undefined ? undefined : meantBy(issue, mistake, schema, data);
    const owner = valueAt(meant, mistake?.path.slice(0, -1) ?? []);
    if (mistake === undefined || better === undefined || owner === null || typeof owner !== 'object') continue;
    (owner as Record<PropertyKey, unknown>)[mistake.path.at(-1) as PropertyKey] = better;
    known.push(mistake);
  }
  if (known.length === 0) return mistakesOf(error, schema, data);
  const others = mistakesIn(schema, meant);
  const isTold = ({ path }: Mistake) =>
    valueAt(data, path) === undefined && others.some((other) => path.every((name, at) => other.path[at] === name));
  return [...known.filter((mistake) => !isTold(mistake)), ...others];
}

/** The value that was meant where the mistake is, as far as it can be told. */
function meantBy(issue: z.core.$ZodIssue, { path }: Mistake, schema: z.core.$ZodType, data: unknown): unknown {
  const value = valueAt(data, path);
  if (issue.code === 'invalid_type' && issue.expected === 'object' && value === undefined && path.length > 0) return {};
  if (issue.code !== 'invalid_union' || issue.discriminator === undefined || typeof value !== 'string') return undefined;
  return nearest(value, knownTags(schema, path.slice(0, -1), issue.discriminator, data));
}

/** What zod found, in our words: the path, the value, what was expected, and the nearest known key. */
function mistakesOf(error: Pick<z.core.$ZodError, 'issues'>, schema: z.core.$ZodType, data: unknown): Mistake[] {
  return error.issues.flatMap((issue) => mistakesOfIssue(issue, schema, data));
}

function mistakesOfIssue(issue: z.core.$ZodIssue, schema: z.core.$ZodType, data: unknown): Mistake[] {
  const { path } = issue;
  const name = path.join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, path, data);
    return issue.keys.map((key) => ({
      path: [...path, key],
      part: 'key',
      message: `unknown key "${[...path, key].join('.')}"${didYouMean(key, known) || `, expected one of ${known.join(', ')}`}`,
    }));
  }
  if (issue.code === 'invalid_key') return [{ path, part: 'key', message: `bad key "${name}": ${innerMessage(issue.issues)}` }];
  const value = valueAt(data, path);
  if (issue.code === 'invalid_union' && issue.discriminator !== undefined)
    return [wrongTag(path, issue.discriminator, schema, data)];
  if (value === undefined && issue.code !== 'custom')
    return [{ path, part: 'value', message: `missing "${name}": ${expectation(issue)}` }];
  const inner = issue.code === 'invalid_union' ? innermost(issue.errors) : undefined;
  if (inner !== undefined)
    return mistakesOf({ issues: inner.map((each) => ({ ...each, path: [...path, ...each.path] })) }, schema, data);
  return [
    { path, part: 'value', message: `${path.length === 0 ? '' : `${name}: `}${expectation(issue)}${gotInstead(issue, value)}` },
  ];
}

/** `, got VALUE`, and the nearest of the values that are known; a value that may be a secret is not shown. */
function gotInstead(issue: z.core.$ZodIssue, value: unknown): string {
  if (namesSecret(issue.path.at(-1))) return '; the value is not shown';
  if (value !== null && typeof value === 'object' && issue.code === 'custom') return '';
  const near = issue.code === 'invalid_value' && typeof value === 'string' ? didYouMean(value, issue.values.map(String)) : '';
  return `, got ${show(value)}${near}`;
}

/** What the member of a union says that the value comes nearest to: it has the value's shape and finds fault within. */
function innermost(members: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | undefined {
  return members.find(
    (issues) => issues.length > 0 && issues.every(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'),
  );
}

/** A union's `source: ...` or `backend: ...` that no member has. */
function wrongTag(path: Path, discriminator: string, schema: z.core.$ZodType, data: unknown): Mistake {
  const tags = knownTags(schema, path.at(-1) === discriminator ? path.slice(0, -1) : path, discriminator, data);
  const full = path.at(-1) === discriminator ? path : [...path, discriminator];
  const value = valueAt(data, full);
  const expected = `expected one of ${tags.join(', ')}`;
  if (value === undefined) return { path: full, part: 'value', message: `missing "${full.join('.')}": ${expected}` };
  return {
    path: full,
    part: 'value',
    message: `${full.join('.')}: ${expected}, got ${show(value)}${didYouMean(String(value), tags)}`,
  };
}

function expectation(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${NAMES[issue.expected] ?? `a ${issue.expected}`}`;
    case 'invalid_value':
      return issue.values.length === 1
        ? `expected ${show(issue.values[0])}`
        : `expected one of ${issue.values.map(String).join(', ')}`;
    case 'too_small':
      if (issue.origin === 'string' && issue.minimum === 1) return 'expected a text that is not empty';
      return `expected ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${unit(issue.origin, issue.minimum)}`;
    case 'too_big':
      return `expected ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${unit(issue.origin, issue.maximum)}`;
    default:
      return issue.message;
  }
}

const NAMES: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'a text',
  boolean: 'true or false',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
};

function unit(origin: string, count: number | bigint): string {
  const name = origin === 'array' ? ' item' : origin === 'string' ? ' character' : '';
  return name === '' || Number(count) === 1 ? name : `${name}s`;
}

function innerMessage(issues: readonly z.core.$ZodIssue[]): string {
  return issues.map((issue) => expectation(issue)).join(', ');
}

function show(value: unknown): string {
  const text = showValue(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

export function valueAt(data: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, name) => (value !== null && typeof value === 'object' ? (value as Record<PropertyKey, unknown>)[name] : undefined),
    data,
  );
}
