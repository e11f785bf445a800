import { createHmac, timingSafeEqual } from 'node:crypto';

/** The permission that an upload address carries. Clients send no token with an upload, so the address itself must prove it. */
export interface Permission {
  readonly kind: 'whole' | 'part' | 'complete';
  readonly sha256: string;
  /** bytes of the whole file */
  readonly size: number;
  /** names the temporary file of an upload in parts */
  readonly upload: string;
  /** from 1; 0 where there are no parts */
  readonly part: number;
  /** seconds since 1970 */
  readonly expires: number;
}

const FIELDS = ['kind', 'sha256', 'size', 'upload', 'part', 'expires'] as const;

function signatureOf(secret: string, permission: Permission): string {
  return createHmac('sha256', secret)
    .update(FIELDS.map((field) => permission[field]).join('\n'))
    .digest('hex');
}

export function signedQuery(secret: string, permission: Permission): string {
  const fields = FIELDS.map((field): [string, string] => [field, String(permission[field])]);
  return new URLSearchParams([...fields, ['signature', signatureOf(secret, permission)]]).toString();
}

/** The permission of a query; `undefined` when it is not ours, was altered or has expired. */
export function checkedPermission(secret: string, query: URLSearchParams, nowSeconds: number): Permission | undefined {
  const text = (field: string): string => query.get(field) ?? '';
  const permission = {
    kind: text('kind') as Permission['kind'],
    sha256: text('sha256'),
    size: Number(text('size')),
    upload: text('upload'),
    part: Number(text('part')),
    expires: Number(text('expires')),
  };
  const expected = Buffer.from(signatureOf(secret, permission));
  const given = Buffer.from(text('signature'));
  const isOurs = given.length === expected.length && timingSafeEqual(given, expected);
  return isOurs && permission.expires > nowSeconds ? permission : undefined;
}
