import type { Context, Options } from '../../commands/context.ts';
import { printTable } from '../../commands/output.ts';
import type { StageOutcome } from '../../engine/execute.ts';
import { readManifest } from '../../hub/read-manifest.ts';
import { formatRef } from '../../model/artifact.ts';
import { examReport } from './report.ts';

const NAMES = { base: 'base', dsft: 'dSFT', ddpo: 'dDPO' } as const;

/** The end of a rehearsal: the three models on the held-out prompts, whatever came out. With --json it is in the artifact. */
export async function examTable(context: Context, outcomes: readonly StageOutcome[], options: Options): Promise<void> {
  const exam = outcomes.find(({ stage }) => stage === 'exam');
  if (exam?.ok !== true || options.json === true) return;
  const report = examReport.parse((await readManifest(context.hub, exam.artifact.ref))?.metrics);
  const artifacts = new Map(
    outcomes.flatMap((outcome) => (outcome.ok ? [[outcome.stage as string, formatRef(outcome.artifact.ref)]] : [])),
  );
  const rows = report.models.map(({ model, score, ended, tokens }) => {
    const step = report.steps.find((one) => one.model === model);
    const gain = step === undefined ? '' : `${signed(step.gain.mean)} [${signed(step.gain.low)}, ${signed(step.gain.high)}]`;
    const wins =
      step === undefined ? '' : `${percent(step.winRate.mean)} [${percent(step.winRate.low)}, ${percent(step.winRate.high)}]`;
    return [NAMES[model], score.mean.toFixed(3), gain, wins, tokens.toFixed(0), percent(ended)];
  });
  process.stdout.write(`\n${report.prompts} held-out prompts, scores of the judge from 0 to 1\n`);
  const right = 'right' as const;
  printTable(
    [
      { title: 'model' },
      { title: 'score', align: right },
      { title: 'gain [95 %]', align: right },
      { title: 'wins [95 %]', align: right },
      { title: 'tokens', align: right },
      { title: 'ended', align: right },
    ],
    rows,
  );
  process.stdout.write('gain and wins: against the model above, paired, bootstrapped over the prompts\n');
  for (const stage of ['dsft', 'aif', 'ddpo']) process.stdout.write(`  ${stage.padEnd(5)} ${artifacts.get(stage) ?? ''}\n`);
}

function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(3)}`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}
