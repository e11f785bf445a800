import { parseDocument } from 'yaml';
import * as z from 'zod';
import { listRepos } from '../store/repos.ts';
import { readJson } from './body.ts';
import { type Exchange, sendJson } from './exchange.ts';

/** The one account. Every namespace that has a repo is an organisation of it. */
export async function whoAmI(exchange: Exchange): Promise<void> {
  const { store, user } = exchange;
  const spaces = new Set((await listRepos(store)).map(({ name }) => name.split('/')[0] ?? ''));
  spaces.delete(user);
  sendJson(exchange, 200, {
    type: 'user',
    id: user,
    name: user,
    fullname: user,
    email: null,
    emailVerified: false,
    canPay: false,
    isPro: false,
    periodEnd: null,
    billingMode: 'prepaid',
    avatarUrl: '',
    orgs: [...spaces].map((name) => ({
      type: 'org',
      id: name,
      name,
      fullname: name,
      email: null,
      canPay: false,
      periodEnd: null,
      avatarUrl: '',
      roleInOrg: 'admin',
      isEnterprise: false,
    })),
    auth: { type: 'access_token', accessToken: { displayName: 'zephyr', role: 'write', createdAt: '2026-01-01T00:00:00.000Z' } },
  });
}

/** Checks whether the front matter of a README.md is YAML. Clients ask before they upload one, and stop at an error. */
export async function validateYaml(exchange: Exchange): Promise<void> {
  const { content } = await readJson(exchange, z.object({ content: z.string() }));
  const front = /^---\r?\n(.*?)\r?\n?---\s*(?:\n|$)/s.exec(content.trimStart())?.[1];
  const errors = front === undefined ? [] : errorsIn(front);
  const warnings = front === undefined || front.trim() === '' ? ['The card has no metadata'] : [];
  const messages = (texts: readonly string[]): unknown[] => texts.map((message) => ({ message }));
  sendJson(exchange, errors.length === 0 ? 200 : 400, { errors: messages(errors), warnings: messages(warnings) });
}

/** What keeps a client from reading the metadata. */
function errorsIn(front: string): string[] {
  const document = parseDocument(front);
  if (document.errors.length > 0) return document.errors.map(({ message }) => message);
  const metadata: unknown = document.toJS();
  if (metadata == null) return [];
  if (typeof metadata !== 'object' || Array.isArray(metadata)) return ['Expected metadata of names and values'];
  const { 'model-index': index = [] } = metadata as Record<string, unknown>;
  return Array.isArray(index) ? [] : ['Expected "model-index" to be a list'];
}
