import type { StageTable } from '../module.ts';
import { evaluationReport } from './report.ts';

const NAMES = { base: 'base', dsft: 'dSFT', ddpo: 'dDPO' } as const;

/** The three models on the held-out prompts, shown for good and bad results alike. */
export function evaluationTable(metrics: unknown): StageTable {
  const report = evaluationReport.parse(metrics);
  const right = (title: string) => ({ title, align: 'right' as const });
  const rows = report.models.map(({ model, score, ended, tokens }) => {
    const step = report.steps.find((one) => one.model === model);
    const gain = step === undefined ? '' : `${signed(step.gain.mean)} [${signed(step.gain.low)}, ${signed(step.gain.high)}]`;
    const wins =
      step === undefined ? '' : `${percent(step.winRate.mean)} [${percent(step.winRate.low)}, ${percent(step.winRate.high)}]`;
    return [NAMES[model], score.mean.toFixed(3), gain, wins, tokens.toFixed(0), percent(ended)];
  });
  return {
    above: `${report.prompts} held-out prompts, scores of the judge from 0 to 1`,
    columns: [{ title: 'model' }, ...['score', 'gain [95 %]', 'wins [95 %]', 'tokens', 'ended'].map(right)],
    rows,
    below: 'gain and wins: against the model above, paired, bootstrapped over the prompts',
  };
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(3)}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
