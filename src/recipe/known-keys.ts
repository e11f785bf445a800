import type * as z from 'zod';
import type { Path } from '../stages/mistake.ts';

type Schema = z.core.$ZodType;

/** The keys that an object at this path may have; `data` decides between the members of a union. */
export function knownKeys(schema: Schema, path: Path, data: unknown): string[] {
  const found = schemaAt(schema, path, data);
  if (found?.type === 'object') return Object.keys(found.shape).filter((key) => key !== '$schema');
  if (found?.type === 'record') return keysOf(found.keyType);
  if (found?.type !== 'union') return [];
  const value = path.reduce<unknown>(memberOf, data);
  return [...new Set(membersOf(found, value).flatMap((option) => knownKeys(option, [], value)))];
}

/** The keys that a record may have, where they are listed. */
function keysOf(schema: Schema): string[] {
  const { def } = unwrap(schema)._zod as unknown as { def: Definition };
  return def.type === 'enum' ? Object.values(def.entries).map(String) : [];
}

function schemaAt(schema: Schema, path: Path, data: unknown): Definition | undefined {
  const found = wrappedAt(schema, path, data);
  return found === undefined ? undefined : (unwrap(found)._zod as unknown as { def: Definition }).def;
}

/** The schema at a path, still wrapped in `.optional()` and the like. */
function wrappedAt(schema: Schema, path: Path, data: unknown): Schema | undefined {
  const { def } = unwrap(schema)._zod as unknown as { def: Definition };
  const [name, ...rest] = path;
  if (name === undefined) return schema;
  if (def.type === 'union') return wrappedAt(membersOf(def, data)[0] as Schema, path, data);
  const next =
    def.type === 'object'
      ? def.shape[String(name)]
      : def.type === 'array'
        ? def.element
        : def.type === 'record'
          ? def.valueType
          : undefined;
  return next === undefined ? undefined : wrappedAt(next, rest, memberOf(data, name));
}

/** Whether there is a value at this path that can be taken away: a key of a mapping for which null is no value of its own. */
export function isRemovable(schema: Schema, path: Path, data: unknown): boolean {
  const found = wrappedAt(schema, path, data);
  return found !== undefined && typeof path.at(-1) === 'string' && !takesNull(found);
}

function takesNull(schema: Schema): boolean {
  const { def } = schema._zod as unknown as { def: Definition };
  if (def.type === 'union') return def.options.some(takesNull);
  if (def.type === 'lazy') return takesNull(def.getter());
  return def.type === 'nullable' || def.type === 'null' || ('innerType' in def && takesNull(def.innerType));
}

function membersOf(union: Definition & { readonly type: 'union' }, data: unknown): readonly Schema[] {
  const fitting = union.options.filter((option) => fits(option, union.discriminator, data));
  return fitting.length > 0 ? fitting : union.options;
}

function memberOf(data: unknown, name: PropertyKey): unknown {
  return data === null || typeof data !== 'object' ? undefined : (data as Record<PropertyKey, unknown>)[name];
}

/** The values that tell the members of the union at this path apart. */
export function knownTags(schema: Schema, path: Path, discriminator: string, data: unknown): string[] {
  const union = schemaAt(schema, path, data);
  if (union?.type !== 'union') return [];
  return union.options.flatMap((option) => {
    const { def } = unwrap(option)._zod as unknown as { def: Definition };
    const tag = def.type === 'object' ? def.shape[discriminator] : undefined;
    const literal = tag === undefined ? undefined : (unwrap(tag)._zod as unknown as { def: Definition }).def;
    return literal?.type === 'literal' ? literal.values.map(String) : [];
  });
}

type Definition =
  | { readonly type: 'object'; readonly shape: Readonly<Record<string, Schema>> }
  | { readonly type: 'array'; readonly element: Schema }
  | { readonly type: 'record'; readonly keyType: Schema; readonly valueType: Schema }
  | { readonly type: 'enum'; readonly entries: Readonly<Record<string, string | number>> }
  | { readonly type: 'union'; readonly options: readonly Schema[]; readonly discriminator?: string }
  | { readonly type: 'optional' | 'default' | 'prefault' | 'nullable' | 'readonly'; readonly innerType: Schema }
  | { readonly type: 'literal'; readonly values: readonly unknown[] }
  | { readonly type: 'lazy'; readonly getter: () => Schema }
  | { readonly type: 'null' };

/** What stands behind `.optional()`, `.default()`, `.prefault()`, `.nullable()`. */
function unwrap(schema: Schema): Schema {
  const { def } = schema._zod as unknown as { def: Definition };
  return 'innerType' in def ? unwrap(def.innerType) : schema;
}

/** Whether a member of a union fits the value: by its discriminator, or else by the shape of the value alone. */
function fits(option: Schema, discriminator: string | undefined, data: unknown): boolean {
  const { def } = unwrap(option)._zod as unknown as { def: Definition };
  if (discriminator === undefined) return Array.isArray(data) ? def.type === 'array' : def.type !== 'array';
  if (def.type !== 'object' || data === null || typeof data !== 'object') return false;
  const tag = def.shape[discriminator];
  const literal = tag === undefined ? undefined : (unwrap(tag)._zod as unknown as { def: Definition }).def;
  return literal?.type === 'literal' && literal.values.includes((data as Record<string, unknown>)[discriminator]);
}
