import { validateYaml, whoAmI } from './account.ts';
import { commitTo } from './commit-route.ts';
import { type Exchange, HttpError, sendNothing } from './exchange.ts';
import { batch, verify } from './lfs-routes.ts';
import { upload } from './lfs-upload.ts';
import { preupload } from './preupload-route.ts';
import { commits, createBranch, createTag, deleteBranch, deleteTag, refs, squash } from './ref-routes.ts';
import { authCheck, create, info, list, move, remove, settings } from './repo-routes.ts';
import { resolve } from './resolve-route.ts';
import { decodeSegments, type Found, findRepo } from './revision.ts';
import { pathsInfo, tree } from './tree-routes.ts';

/** `rest` is what follows in the address, as it came. */
type RepoRoute = (exchange: Exchange, repo: Found, rest: string) => Promise<void>;

const FIXED: Readonly<Record<string, (exchange: Exchange) => Promise<void>>> = {
  'GET /api/whoami-v2': whoAmI,
  'POST /api/validate-yaml': validateYaml,
  'POST /api/repos/create': create,
  'DELETE /api/repos/delete': remove,
  'POST /api/repos/move': move,
  'GET /api/models': (exchange) => list(exchange, 'model'),
  'GET /api/datasets': (exchange) => list(exchange, 'dataset'),
};

/** Below `/api/{models,datasets}/NS/NAME`, by method and first word. */
const OF_REPO: Readonly<Record<string, RepoRoute>> = {
  'GET ': (exchange, repo) => info(exchange, repo, 'main'),
  'GET revision': info,
  'GET refs': refs,
  'GET commits': commits,
  'GET tree': tree,
  'GET auth-check': authCheck,
  'POST paths-info': pathsInfo,
  'POST preupload': preupload,
  'POST commit': commitTo,
  'POST branch': createBranch,
  'DELETE branch': deleteBranch,
  'POST tag': createTag,
  'DELETE tag': deleteTag,
  'POST super-squash': squash,
  'PUT settings': settings,
};

/** An address that names a repo, or a file of one, without a namespace, which every repo here has. */
const NAMELESS = /^\/(?:api\/(?:models|datasets)\/[^/]+$|(?:datasets\/)?[^/]+(?:\/(?:resolve|raw)\/|\.git\/info\/lfs\/))/;

/** Addresses that are their own permission, or that clients ask without a token. */
export async function openRoute(exchange: Exchange): Promise<boolean> {
  const { request, path } = exchange;
  if (path === '/api/lfs' && (request.method === 'PUT' || request.method === 'POST')) {
    await upload(exchange);
    return true;
  }
  if (path.startsWith('/api/telemetry/')) {
    sendNothing(exchange, 204);
    return true;
  }
  return false;
}

export async function route(exchange: Exchange): Promise<void> {
  const { request, path } = exchange;
  const method = request.method ?? '';
  const fixed = FIXED[`${method} ${path}`];
  if (fixed !== undefined) return fixed(exchange);

  const api = /^\/api\/(models|datasets)\/([^/]+\/[^/]+)(?:\/([^/]*))?(?:\/(.*))?$/.exec(path);
  if (api !== null) return routeRepo(exchange, method, api);

  if (await routeFile(exchange, method)) return;
  if (NAMELESS.test(path)) throw new HttpError(404, 'Repository not found', { code: 'RepoNotFound' });
  if (/^\/api\/agent-harnesses/.test(path)) throw new HttpError(404, 'Not found');
  throw new HttpError(501, `This Hub has no ${method} ${path}`);
}

/** Answers a request for a repo under `/api`: its type, its name, a word and the rest of the address. */
async function routeRepo(exchange: Exchange, method: string, asked: readonly string[]): Promise<void> {
  const [, type = '', name = '', word = '', rest = ''] = asked;
  const find = () => findRepo(exchange.store, type, decodeSegments(name).join('/'));
  const handler = OF_REPO[`${method} ${word}`];
  if (handler !== undefined) return handler(exchange, await find(), rest);
  if (word.startsWith('xet-')) throw new HttpError(404, 'This Hub has no Xet, set HF_HUB_DISABLE_XET=1 for the client');
  // a repo without a namespace, as the public Hub has some: /api/models/gpt2/revision/main
  await find();
  throw new HttpError(501, `This Hub has no ${method} ${word} of a repo`);
}

/** Answers a request outside of `/api`, for the LFS protocol or a file; `false` where it is for neither. */
async function routeFile(exchange: Exchange, method: string): Promise<boolean> {
  const { path } = exchange;
  const find = (type: string | undefined, name = '') => findRepo(exchange.store, type ?? 'model', decodeSegments(name).join('/'));
  const lfs = /^\/(datasets\/)?([^/]+\/[^/]+)\.git\/info\/lfs\/(objects\/batch|verify)$/.exec(path);
  if (lfs !== null && method === 'POST') {
    await find(lfs[1], lfs[2]);
    await (lfs[3] === 'verify' ? verify(exchange) : batch(exchange));
    return true;
  }
  const file = /^\/(datasets\/)?([^/]+\/[^/]+)\/(resolve|raw)\/(.+)$/.exec(path);
  if (file === null || (method !== 'GET' && method !== 'HEAD')) return false;
  await resolve(exchange, await find(file[1], file[2]), file[4] ?? '', file[3] === 'raw');
  return true;
}
