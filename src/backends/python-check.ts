import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import * as z from 'zod';
import { atomicWrite } from '../base/atomic-write.ts';
import { sha256 } from '../base/sha256.ts';
import { ZephyrError } from '../errors.ts';
import { readRequirements } from './environments.ts';
import { readIfThere } from './job-folder.ts';

export interface PythonCheck {
  readonly python: string;
  /** files of pins; where two pin a package, the later one holds */
  readonly requirements: readonly string[];
  /** where the stamp of the last good check lies */
  readonly jobs: string;
  /** what to do about an interpreter that does not do */
  readonly hint: string;
}

const ASK = `
import importlib.metadata as m, json, sys, sysconfig
def version(name):
    try: return m.version(name)
    except m.PackageNotFoundError: return None
print(json.dumps({"site": sysconfig.get_path("purelib"), "versions": {n: version(n) for n in sys.argv[1:]}}))
`;
const answer = z.object({ site: z.string(), versions: z.record(z.string(), z.string().nullable()) });

/**
 * Throws unless the interpreter exists and holds what the requirements pin with `==`. Asking Python takes a third of a
 * second, so a good answer is kept until site-packages or the requirements change.
 */
export async function checkPython({ python, requirements, jobs, hint }: PythonCheck): Promise<void> {
  const wanted = (await Promise.all(requirements.map(readRequirements))).join('\n');
  const stamp = join(jobs, '.python-check', `${sha256(python).slice(0, 16)}.json`);
  if (await holds(stamp, python, wanted)) return;

  const pins = pinned(wanted);
  const { exitCode, stdout, code, shortMessage } = await execa(python, ['-I', '-c', ASK, ...pins.keys()], {
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
    timeout: 60_000,
  });
  if (exitCode !== 0) {
    // the message of other failures repeats the whole command, of which the first line is enough
    const why = code === 'ENOENT' ? 'there is no such program' : (shortMessage?.split('\\n')[0] ?? `exit code ${exitCode}`);
    throw new ZephyrError(`Cannot run Python at "${python}": ${why}`, {
      exit: 'preflight',
      hint,
    });
  }
  const { site, versions } = answer.parse(JSON.parse(stdout));
  const wrong = [...pins].filter(([name, version]) => !matches(versions[name] ?? null, version));
  if (wrong.length > 0) {
    const list = wrong.map(([name, version]) => `${name} ${version} (found ${versions[name] ?? 'none'})`).join(', ');
    throw new ZephyrError(`Python at "${python}" lacks ${list}`, { exit: 'preflight', hint });
  }
  await mkdir(dirname(stamp), { recursive: true });
  await atomicWrite(stamp, JSON.stringify({ seal: await seal(python, wanted, site), site }));
}

async function holds(stamp: string, python: string, wanted: string): Promise<boolean> {
  const text = await readIfThere(stamp);
  if (text === undefined) return false;
  try {
    const { seal: kept, site } = z.object({ seal: z.string(), site: z.string() }).parse(JSON.parse(text));
    return kept === (await seal(python, wanted, site));
  } catch {
    return false;
  }
}

async function seal(python: string, wanted: string, site: string): Promise<string> {
  const times = await Promise.all([python, site].map(async (path) => (await stat(path)).mtimeMs));
  return sha256(JSON.stringify([python, wanted, ...times]));
}

/** `name==version` lines, the last of a name; lines with an environment marker are for another machine, or may be. */
function pinned(requirements: string): Map<string, string> {
  const pins = requirements.split('\n').flatMap((line) => {
    const match = /^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;#]+)\s*(?:#.*)?$/.exec(line.trim());
    return match?.[1] !== undefined && match[2] !== undefined ? [[match[1], match[2]] as const] : [];
  });
  // one name has many spellings to pip
  const last = new Map(pins.map((pin) => [pin[0].toLowerCase().replace(/[-_.]+/g, '-'), pin] as const));
  return new Map(last.values());
}

/** A build of a version, such as `2.13.0+cpu`, is that version. */
function matches(found: string | null, wanted: string): boolean {
  return found === wanted || found?.split('+')[0] === wanted;
}
