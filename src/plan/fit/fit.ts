import { smallFile } from '../../datasets/known-trees.ts';
import { ZephyrError } from '../../errors.ts';
import type { Hub } from '../../hub/hub.ts';
import { readManifest } from '../../hub/read-ref.ts';
import { formatRef } from '../../model/artifact.ts';
import type { Hardware } from '../../model/hardware.ts';
import type { Artifact } from '../../model/outcome.ts';
import type { Target } from '../../recipe/target.ts';
import { inputOf } from '../../stages/recipe-context.ts';
import type { StepInput } from '../../stages/stage.ts';
import type { Decision } from '../explain.ts';
import type { Plan } from '../plan.ts';
import { smallestChanges } from './changes.ts';
import { type Amount, type Effort, effortOf } from './effort.ts';
import type { GpuCase } from './gpu-case.ts';
import { hostMemory, type PeakMemory, peakMemory } from './memory.ts';
import { type ModelShape, shapeIn } from './shape.ts';

/** Whether a step's job fits on the GPUs of a target; `unchecked` where the target does not say what they are. */
export type Verdict = 'fits' | 'tight' | 'too large' | 'unchecked';

export interface KnownFit {
  readonly known: true;
  /** `STAGE/STEP` */
  readonly step: string;
  readonly stage: string;
  readonly ranks: number;
  /** of one rank */
  readonly peak: PeakMemory;
  /** bytes in the memory of each host, with offload */
  readonly host: number;
  /** bytes of one GPU */
  readonly device: number | undefined;
  readonly verdict: Verdict;
  /** of a step that is too large: the ways to the fewest changes with which it fits, each a list of texts */
  readonly changes: readonly (readonly string[])[];
  /** whether an adapter alone is trained already */
  readonly adapter: boolean;
  /** undefined: known once its rows are prepared */
  readonly effort: Effort | undefined;
  /** where the number of its tokens comes from */
  readonly amount: string;
}

export type StepFit = KnownFit | { readonly known: false; readonly step: string; readonly why: string };

/** What the GPUs of a target have to do for a plan. */
export interface PlanFit {
  readonly steps: readonly StepFit[];
  /** one GPU of the target, as far as it says; none where it computes on CPUs */
  readonly gpu: Target['hardware']['gpu'];
  readonly onCpu: boolean;
}

/** Above this share of a GPU's memory a user is warned: what is not reckoned with may be more than what is left. */
const TIGHT = 0.9;
/** GPUs are sold by GiB that are called GB, of which the driver keeps some: an H100 of 80 GB has 79.2 GiB. */
const USABLE = 0.99;

/** What is asked to reckon with a plan. */
export interface FitRequest {
  readonly plan: Plan;
  readonly decisions: readonly Decision[];
  readonly target: Target;
  readonly hub: Hub;
  /** what a job step is given of the target */
  readonly hardware: (step: Decision['step']) => Hardware;
}

/** Memory and time of each step that has to run and needs a GPU. Nothing is started; the Hub is asked for small files. */
export async function fitPlan(request: FitRequest): Promise<PlanFit> {
  const steps = request.decisions.filter(({ action, step }) => action === 'run' && step.load !== undefined);
  const fits = await Promise.all(steps.map(async ({ step }) => await fitStep(step, request)));
  return { steps: fits, gpu: gpuOf(request.target), onCpu: request.target.hardware.device === 'cpu' };
}

async function fitStep(step: Decision['step'], request: FitRequest): Promise<StepFit> {
  const { load } = step;
  const name = `${step.stage}/${step.name}`;
  if (load === undefined) throw new Error(`Cannot reckon with ${name}: it says nothing of its load`);
  const shape = await shapeOf(step, load.model, request);
  if (typeof shape === 'string') return { step: name, known: false, why: shape };
  const job: GpuCase = { shape, load, hardware: onGpu(request.hardware(step), request.target) };
  const training = step.work.kind === 'job' ? step.work.training : undefined;
  const { amount, source } = await amountOf(step, request);
  const gpu = gpuOf(request.target);
  const device = gpu === undefined ? undefined : gpu.memoryGb * 2 ** 30 * USABLE;
  const peak = peakMemory(job);
  const verdict = verdictOf(peak.bytes, device);
  const names = { stage: step.stage, microBatch: training?.microBatch, globalBatch: training?.globalBatch };
  return {
    known: true,
    step: name,
    stage: step.stage,
    ranks: job.hardware.nodes * job.hardware.ranks,
    peak,
    host: hostMemory(job),
    device,
    verdict,
    changes: verdict === 'too large' ? smallestChanges(job, names, (other) => peakMemory(other).bytes <= (device ?? 0)) : [],
    adapter: load.adapter !== undefined,
    effort: amount === undefined ? undefined : effortOf(job, training?.globalBatch, amount, gpu ?? {}),
    amount: source,
  };
}

const gpuOf = ({ hardware }: Target) => (hardware.device === 'cpu' ? undefined : hardware.gpu);

/** A plan for `auto` is one for GPUs: on a CPU nobody trains what does not fit there. */
function onGpu(hardware: Hardware, target: Target): Hardware {
  return { ...hardware, device: target.hardware.device === 'cpu' ? 'cpu' : 'cuda' };
}

function verdictOf(bytes: number, device: number | undefined): Verdict {
  if (device === undefined) return 'unchecked';
  return bytes > device ? 'too large' : bytes > TIGHT * device ? 'tight' : 'fits';
}

/** The shape of the model that a step takes, or in a few words why it is not known. */
async function shapeOf(step: Decision['step'], input: string, request: FitRequest): Promise<ModelShape | string> {
  const from = step.inputs[input];
  const artifact = from === undefined ? undefined : modelOf(from, request);
  if (artifact === undefined) return `its model is not there yet`;
  const bytes = await smallFile(request.hub, artifact.ref, 'config.json');
  if (bytes === undefined) return `${formatRef(artifact.ref)} has no config.json`;
  return shapeIn(Buffer.from(bytes).toString('utf8'));
}

/** The model of an input. One that a stage will make yet has the shape of the base, from which every stage goes on. */
function modelOf(from: StepInput, request: FitRequest): Artifact | undefined {
  const { plan, decisions } = request;
  if (from.from === 'hub') return plan.pins.get(from.ref);
  if (from.from === 'stage' && from.step === undefined) {
    const made = decisions.filter(({ step }) => step.stage === from.stage).at(-1);
    const found = plan.stageInputs[from.stage] ?? (made?.action === 'reuse' ? made.artifact : undefined);
    const base = inputOf(plan.recipe.base);
    return found ?? (base.from === 'hub' ? plan.pins.get(base.ref) : undefined);
  }
  return undefined;
}

/** What there is to do: as `prepare` counted it, else as the recipe tells. */
async function amountOf(
  { stage, inputs, load }: Decision['step'],
  { decisions, hub }: FitRequest,
): Promise<{ readonly amount: Amount | undefined; readonly source: string }> {
  const from = load === undefined ? undefined : inputs[load.data];
  const prepared = decisions.find(({ step }) => from?.from === 'step' && step.stage === stage && step.name === from.step);
  if (prepared?.action === 'reuse') {
    const { rows, tokens } = (await readManifest(hub, prepared.artifact.ref))?.metrics ?? {};
    if (typeof rows === 'number' && typeof tokens === 'number') return { amount: { rows, tokens }, source: 'as prepared' };
  }
  if (load?.guess === undefined) return { amount: undefined, source: 'known once the rows are prepared' };
  return { amount: load.guess, source: `guessed: ${load.guess.why}` };
}

/** Throws a `ZephyrError` (usage) for steps that cannot fit on the GPUs of the target, with what would make them fit. */
export function refuseUnfit({ steps: all }: Pick<PlanFit, 'steps'>): void {
  const known = all.flatMap((fit) => (fit.known && fit.verdict === 'too large' ? [fit] : []));
  if (known.length === 0) return;
  const hints = [...Map.groupBy(known, waysInWords)].map(([ways, alike]) => {
    const steps = alike.map(({ step }) => step).join(' and ');
    if (ways === '') return `no change of the target makes ${steps} fit: try ${smaller(alike)}, or larger GPUs`;
    return `${steps} ${alike.length === 1 ? 'fits' : 'fit'} with ${ways}`;
  });
  throw new ZephyrError(known.map(tooLarge).join('\n'), { hint: hints.join('; ') });
}

const waysInWords = ({ changes }: KnownFit) => changes.map((way) => way.join(' and ')).join(', or ');

/** What takes less memory than any target can give to these steps: an adapter, and where there is one shorter rows. */
function smaller(fits: readonly KnownFit[]): string {
  const full = [...new Set(fits.filter(({ adapter }) => !adapter).map(({ stage }) => `${stage}.lora`))];
  return full.length > 0 ? `LoRA (${full.join(', ')})` : 'shorter rows (prepare.maxLength)';
}

function tooLarge({ step, peak, device, ranks }: KnownFit): string {
  const gib = (bytes: number) => (bytes / 2 ** 30).toFixed(1);
  const where = ranks === 1 ? 'on one GPU' : `on each of ${ranks} GPUs`;
  return `Cannot fit ${step}: it needs about ${gib(peak.bytes)} GiB ${where}, expected at most ${gib(device ?? 0)}`;
}

/** One line for each step that fits barely. */
export function tightWarnings({ steps }: Pick<PlanFit, 'steps'>): string[] {
  return steps.flatMap((fit) => {
    if (!fit.known || fit.verdict !== 'tight' || fit.device === undefined) return [];
    const share = Math.round((100 * fit.peak.bytes) / fit.device);
    return [`${fit.step} needs ${share} % of a GPU's memory, as far as can be reckoned; from ${100 * TIGHT} % on it may not fit`];
  });
}
