import * as z from 'zod';
import { type Ancestor, ancestry } from '../hub/ancestry.ts';
import type { Hub } from '../hub/hub.ts';
import { type ArtifactRef, formatRef } from '../model/artifact.ts';

/** Whether a model may have seen the items of a benchmark in its training, as far as its artifacts tell. */
export interface ContaminationNote {
  readonly benchmark: string;
  readonly title: string;
  /** `known`: a dataset that it learned from held items. `checked`: some step looked for them. `unchecked`: none did. */
  readonly status: 'known' | 'checked' | 'unchecked';
  /** sentences without their full stop; '' where nothing was looked for */
  readonly text: string;
}

/** Benchmarks of zephyr's own wording, which no dataset holds. */
const OWN = /^(smoke-|(over-)?refusals$)/;

/** How the repos of a benchmark are called. Those that are not here are told by their own name. */
const REPOS: Readonly<Record<string, RegExp>> = {
  'mt-bench': /mt[-_]?bench/i,
  'alpaca-eval-1': /alpaca.?eval\b/i,
  'alpaca-eval-2': /alpaca.?eval\b/i,
  'arc-challenge': /(^|[/_-])arc([_-]|$)/i,
  truthfulqa: /truthful[-_]?qa/i,
  mmlu: /mmlu(?!-?pro)/i,
};

interface KnownOverlap {
  readonly benchmarks: readonly string[];
  /** of the dataset's name */
  readonly source: RegExp;
  readonly text: string;
}

/** What others found out, with where they say so. */
const KNOWN: readonly KnownOverlap[] = [
  {
    benchmarks: ['truthfulqa'],
    source: /ultrafeedback(?!_binarized_cleaned)/i,
    text: 'UltraFeedback held prompts of TruthfulQA; later revisions and cleaned copies do not (Open LLM Leaderboard, discussion 361)',
  },
  {
    benchmarks: ['mt-bench', 'alpaca-eval-1', 'alpaca-eval-2'],
    source: /ultrachat/i,
    text: "UltraChat held questions of Vicuna's benchmark, 80 of AlpacaEval's 805 prompts (thunlp/UltraChat, issue 18)",
  },
];

const settings = z.looseObject({
  config: z.looseObject({ benchmarks: z.array(z.looseObject({ input: z.string() })).default([]) }),
});
const counts = z.looseObject({ dropped: z.record(z.string(), z.number()).default({}) });

/** The reasons under which steps count what they leave out for holding an item. */
const REASONS = ['contaminated', 'in a benchmark'];

/** One note for each benchmark that is not our own, in their order. A model that zephyr did not make is `unchecked`: nothing says what it learned from. */
export async function contaminationOf(
  hub: Hub,
  model: ArtifactRef,
  benchmarks: readonly { readonly name: string; readonly title: string }[],
): Promise<ContaminationNote[]> {
  const ancestors = await ancestry(hub, [model]);
  const checks = ancestors.flatMap(checksOf);
  const listed = new Set(checks.map(({ ref }) => formatRef(ref)));
  const sources = ancestors.filter(
    ({ ref, manifest }) => ref.type === 'dataset' && manifest === undefined && !listed.has(formatRef(ref)),
  );
  const others = benchmarks.filter(({ name }) => !OWN.test(name));
  return others.map(({ name, title }) => {
    const isIt = REPOS[name] ?? new RegExp(name.replaceAll('-', '[-_]?'), 'i');
    const looked = checks.filter(({ ref }) => isIt.test(ref.name)).map(({ text }) => text);
    const known = KNOWN.flatMap((overlap) => {
      const from = overlap.benchmarks.includes(name) ? sources.find(({ ref }) => overlap.source.test(ref.name)) : undefined;
      return from === undefined ? [] : [`it learned from ${formatRef(from.ref)}: ${overlap.text}`];
    });
    const status = known.length > 0 ? 'known' : looked.length > 0 ? 'checked' : 'unchecked';
    return { benchmark: name, title, status, text: [...known, ...looked].join('; ') };
  });
}

interface Check {
  /** the benchmark's dataset */
  readonly ref: ArtifactRef;
  readonly text: string;
}

/** The datasets that a step read to leave out rows which hold their items. */
function checksOf({ manifest }: Ancestor): Check[] {
  if (manifest === undefined) return [];
  const told = settings.safeParse(manifest.ingredients).data?.config.benchmarks ?? [];
  const names = ['decontaminate', ...told.map(({ input }) => input)];
  const { dropped = {} } = counts.safeParse(manifest.metrics).data ?? {};
  const rows = REASONS.reduce((sum, reason) => sum + (dropped[reason] ?? 0), 0);
  return names.flatMap((name) => {
    const ref = manifest.inputs[name];
    const text = `its items were looked for in ${manifest.stage}/${manifest.step}, which left out ${rows} ${rows === 1 ? 'row' : 'rows'}`;
    return ref === undefined ? [] : [{ ref, text }];
  });
}

/** Notes of one model in few lines: what is known or was looked for, then all that was not looked for together. */
export function contaminationLines(label: string, notes: readonly ContaminationNote[]): string[] {
  const told = notes.filter(({ status }) => status !== 'unchecked').map(({ title, text }) => `${title}, ${label}: ${text}`);
  const untold = notes.filter(({ status }) => status === 'unchecked').map(({ title }) => title);
  const rest = `not looked for in what ${label} learned from: ${untold.join(', ')}`;
  return untold.length === 0 ? told : [...told, rest];
}
