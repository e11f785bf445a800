import type { StepFit } from './fit.ts';

/** As it is printed as JSON: bytes, seconds and dollars; null for what is not known. */
export function plainFit(fit: StepFit): Record<string, unknown> {
  if (!fit.known) return { step: fit.step, verdict: 'unknown', why: fit.why };
  const { step, verdict, ranks, peak, device, host, changes, effort, amount } = fit;
  return {
    step,
    verdict,
    ranks,
    memory: { ...peak.use, sum: peak.bytes, moment: peak.moment, device: device ?? null, host },
    changes,
    tokens: effort?.tokens ?? null,
    tokensAre: amount,
    flops: effort?.flops ?? null,
    gpuHours: effort?.gpuHours ?? null,
    seconds: effort?.seconds ?? null,
    dollars: effort?.dollars ?? null,
  };
}
