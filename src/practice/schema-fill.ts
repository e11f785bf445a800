/** As much of JSON Schema as structured output uses. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** The value of a member by its name (empty for the root); `undefined` leaves it to the schema. */
export type KnownValue = (name: string, schema: JsonSchema) => unknown;

/** A value that follows the schema: what is known where it is known, and the emptiest value elsewhere. */
export function fill(schema: JsonSchema, known: KnownValue, name = ''): unknown {
  const given = known(name, schema);
  if (given !== undefined) return given;
  if (schema.const !== undefined) return schema.const;
  if (schema.properties !== undefined)
    return Object.fromEntries(Object.entries(schema.properties).map(([member, inner]) => [member, fill(inner, known, member)]));
  if (schema.anyOf?.[0] !== undefined)
    return schema.anyOf.some(({ type }) => type === 'null') ? null : fill(schema.anyOf[0], known, name);
  if (schema.enum !== undefined) return schema.enum[0];
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
  if (types.includes('null')) return null;
  if (types.includes('array')) return [];
  if (types.includes('string')) return '';
  if (types.includes('boolean')) return false;
  return schema.minimum ?? 0;
}
