import { join } from 'node:path';
import { sha256File } from '../base/sha256.ts';
import type { Target } from '../recipe/target.ts';
import { type Context, codeFolder } from './context.ts';

/** What the jobs' Python holds, for a plan: of a process without starting anything, of an image as its engine says. */
export async function environmentOf(context: Context, target: Target): Promise<string> {
  if (target.backend === 'process') return await sha256File(join(codeFolder(context), 'requirements.txt'));
  const { openTargetBackend } = await import('./backend.ts');
  return await openTargetBackend(context, target).environment();
}
