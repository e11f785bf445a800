import { formatCount, formatDollars, formatDuration } from '../../render/format.ts';
import { type Effort, UTILISATION } from './effort.ts';
import type { KnownFit, PlanFit } from './fit.ts';
import type { MemoryUse } from './memory-use.ts';

const PARTS: readonly (keyof MemoryUse)[] = [
  'weights',
  'gradients',
  'optimizer',
  'reference',
  'activations',
  'logits',
  'buckets',
  'overhead',
];

/** A row for each part of the memory and each figure of the time, a cell for each step; none where no step has it. */
export function fitRows(fits: readonly KnownFit[], gpu: PlanFit['gpu']): string[][] {
  const row = (title: string, cell: (fit: KnownFit) => string) => [title, ...fits.map(cell)];
  const effort = (title: string, cell: (effort: Effort) => number | undefined, format: (value: number) => string) =>
    row(title, (fit) => {
      const value = fit.effort === undefined ? undefined : cell(fit.effort);
      return value === undefined ? '' : format(value);
    });
  const rows = [
    row('ranks', ({ ranks }) => String(ranks)),
    ...PARTS.map((part) => row(part, ({ peak }) => gib(peak.use[part]))),
    row('sum', ({ peak }) => gib(peak.bytes)),
    row(`of ${gpu?.name ?? 'the GPU'}`, ({ device }) => (device === undefined ? '' : gib(device))),
    row('peak is at', ({ peak }) => peak.moment),
    row('host memory', ({ host }) => gib(host)),
    effort('tokens', ({ tokens }) => tokens, formatCount),
    effort(
      'GPU hours',
      ({ gpuHours }) => gpuHours,
      (hours) => hours.toFixed(hours < 10 ? 2 : 1),
    ),
    effort('time', ({ seconds }) => seconds, formatDuration),
    effort('dollars', ({ dollars }) => dollars, formatDollars),
  ];
  return rows.filter(([, ...cells]) => cells.some((cell) => cell !== '' && cell !== '-'));
}

function gib(bytes: number): string {
  return bytes === 0 ? '-' : (bytes / 2 ** 30).toFixed(1);
}

/** What the figures stand on. */
export function fitNotes(fits: readonly KnownFit[], { gpu, onCpu }: Pick<PlanFit, 'gpu' | 'onCpu'>): string[] {
  const lines = [...Map.groupBy(fits, ({ amount }) => amount)].map(
    ([amount, alike]) => `Tokens of ${alike.map(({ step }) => step).join(' and ')}: ${amount}`,
  );
  const hours = fits.some(({ effort }) => effort?.gpuHours !== undefined);
  if (hours && gpu?.tflops !== undefined)
    lines.push(
      `Hours are for ${Math.round(100 * UTILISATION)} % of ${gpu.tflops} TFLOP/s, as torchtitan reaches with an 8B on 8 H100`,
    );
  if (hours) lines.push(`In all, as far as known: ${total(fits, gpu?.dollarsPerHour)}`);
  if (onCpu) lines.push('Whether it fits into the memory of the machine is not checked');
  else if (gpu === undefined)
    lines.push('Whether it fits is not checked: the target does not say hardware.gpu: { memoryGb: 80 }');
  else if (gpu.tflops === undefined) lines.push('For GPU hours name the speed of the GPU in the target, hardware.gpu.tflops');
  return lines;
}

/** `13.6 GPU hours, $27.13` */
function total(fits: readonly KnownFit[], price: number | undefined): string {
  const hours = fits.reduce((sum, { effort }) => sum + (effort?.gpuHours ?? 0), 0);
  return `${hours.toFixed(1)} GPU hours${price === undefined ? '' : `, ${formatDollars(hours * price)}`}`;
}
