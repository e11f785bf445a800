import { type Bounds, type FinishedTraining, metricsIn, type TrainingCheck, trainedWith, within } from '../training-checks.ts';

/** The loss of a policy that equals its reference: -log sigmoid(0). */
const NOTHING_LEARNED = Math.LN2;

/** Whether a preference training looks as such trainings do, from public ones: signatures of those that went wrong, bands of those that went right. */
export function acceptDpo(training: FinishedTraining): TrainingCheck[] {
  const metrics = metricsIn(training.metrics);
  const [loss, accuracy] = [metrics.get('eval_loss'), metrics.get('eval_rewards/accuracies')];
  if (loss === undefined || accuracy === undefined) return [];
  const [chosen, margin] = [metrics.get('eval_rewards/chosen'), metrics.get('eval_rewards/margins')];
  return [
    ...within({
      name: 'size of the margin',
      value: margin === undefined ? undefined : Math.abs(margin),
      least: 1e-4,
      meaning: `the policy equals its reference (loss ${NOTHING_LEARNED.toFixed(4)}): nothing was learned`,
    }),
    ...within({
      name: 'accuracy',
      value: accuracy,
      least: 0.5,
      most: 0.97,
      meaning:
        accuracy < 0.5
          ? 'worse than chance: chosen and rejected are the wrong way round, or training came apart'
          : 'too good: the pairs are told apart by something that leaks, such as length or who answered',
    }),
    ...within({
      name: 'reward of chosen answers',
      value: chosen,
      most: 5,
      meaning: 'the reference is another model than the one that training began from',
    }),
    ...bands(training, { loss, accuracy, margin }),
  ];
}

/** What public trainings by the recipe of v0.3 came to; asked of such a training alone. */
function bands(
  { config, origins }: FinishedTraining,
  { loss, accuracy, margin }: Readonly<Record<'loss' | 'accuracy', number> & Record<'margin', number | undefined>>,
): TrainingCheck[] {
  const settings = trainedWith.safeParse(config).data;
  const isZephyr =
    origins.some((name) => /mistral-7b/i.test(name)) && origins.some((name) => /ultrafeedback_binarized/i.test(name));
  const isV03 =
    settings?.beta === 0.01 &&
    settings.loss_type === 'sigmoid' &&
    settings.learning_rate === 5e-7 &&
    settings.epochs === 1 &&
    settings.global_batch === 128 &&
    settings.lora === null;
  if (!isZephyr || !isV03) return [];
  const meaning = 'five public trainings by this recipe lie within: the data or the dSFT model differs from theirs';
  const known: Bounds[] = [
    { name: 'loss as in v0.3', value: loss, least: 0.5, most: 0.51, meaning },
    { name: 'accuracy as in v0.3', value: accuracy, least: 0.75, most: 0.79, meaning },
    { name: 'margin as in v0.3', value: margin, least: 0.94, most: 1, meaning },
  ];
  return known.flatMap(within);
}
