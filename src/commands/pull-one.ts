import { ZephyrError } from '../errors.ts';
import { type PullRequest, pull } from '../hub/pull.ts';
import { type FloatingRef, formatRef, formatRepo, type RepoId } from '../model/artifact.ts';
import { formatBytes } from '../render/format.ts';
import { type Context, type Options, openRemote } from './context.ts';
import { beside, transferProgress } from './transfer-progress.ts';

export interface PullOptions extends Options {
  readonly from?: string;
  readonly as?: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
}

/** The Hub that is pulled from and pushed to, as `huggingface_hub` finds it, unless an option names another. */
export function otherHub(option: string | undefined, env: Readonly<Record<string, string>>): string {
  return option ?? (env.HF_ENDPOINT || 'https://huggingface.co');
}

/** Pulls one repo, and says on stderr what comes and how far it is. */
export async function pullOne(context: Context, ref: FloatingRef, as: RepoId, options: PullOptions): ReturnType<typeof pull> {
  const progress = transferProgress(process.stderr);
  const { env, signal, hub } = context;
  const emit = beside(progress, context.emit);
  const url = otherHub(options.from, env);
  const from = await openRemote(env, url, { signal, emit, isPublic: true });
  const begins: PullRequest['begins'] = ({ commit, files, bytes, left }) => {
    const rest = left.filter(({ path }) => !path.startsWith('.'));
    const others =
      rest.length === 0
        ? ''
        : `; not ${rest
            .slice(0, 3)
            .map(({ path }) => path)
            .join(', ')}${rest.length > 3 ? ` and ${rest.length - 3} more` : ''}`;
    process.stderr.write(`pulling ${formatRef({ ...ref, revision: commit })}: ${files} files, ${formatBytes(bytes)}${others}\n`);
    progress.begin(formatRepo(ref));
  };
  try {
    const { include = [], exclude = [] } = options;
    const transfer = { signal, progress: progress.moved };
    return await pull({ from, to: hub, ref, as, include, exclude, begins, transfer });
  } catch (error) {
    if (!(error instanceof ZephyrError) || error.exit !== 'detached') throw error;
    throw new ZephyrError('Stopped; what came so far is kept', {
      exit: 'detached',
      hint: 'the same command goes on',
      cause: error,
    });
  } finally {
    progress.end();
  }
}
