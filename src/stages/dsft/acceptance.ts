import { digits, type FinishedTraining, metricsIn, type TrainingCheck, trainedWith, within } from '../training-checks.ts';

/** Held-out losses of Mistral 7B on ultrachat_200k in public trainings, by how they were trained. */
const PUBLISHED = [
  { lora: false, batch: 128, loss: '0.935 to 0.940' },
  { lora: false, batch: 64, loss: '0.949' },
  { lora: false, batch: 8, loss: '1.040' },
  { lora: true, batch: 64, loss: '0.950' },
  { lora: true, batch: 16, loss: '0.952' },
  { lora: true, batch: 8, loss: '0.953 to 0.992' },
];

/** Whether a supervised training looks as such trainings do, from signatures of public ones that went wrong. */
export function acceptSft(training: FinishedTraining): TrainingCheck[] {
  const metrics = metricsIn(training.metrics);
  const [train, held] = [metrics.get('train_loss'), metrics.get('eval_loss')];
  return [
    ...within({
      name: 'training loss',
      value: train,
      least: 1e-4,
      meaning: 'a loss of 0 is that of broken arithmetic (dtype), or of rows without a token that counts',
    }),
    ...within({
      name: 'held-out loss',
      value: held,
      most: 4,
      meaning: 'the template, the dtype or the data is another than the model was trained with',
    }),
    ...within({
      name: 'held-out less training loss',
      value: train === undefined || held === undefined ? undefined : held - train,
      most: 1,
      meaning: 'training rows were learned by heart, held-out rows are of other data, or the loss is of the last attempt alone',
    }),
    ...besidePublished(training, held),
  ];
}

/** The loss beside that of public trainings of the same model on the same data, to which it cannot be held. */
function besidePublished({ config, origins }: FinishedTraining, held: number | undefined): TrainingCheck[] {
  const settings = trainedWith.safeParse(config).data;
  const isZephyr = origins.some((name) => /mistral-7b/i.test(name)) && origins.some((name) => /ultrachat_200k/i.test(name));
  if (settings === undefined || held === undefined || !isZephyr) return [];
  const isAdapter = settings.lora !== null;
  const like = PUBLISHED.find(({ lora, batch }) => lora === isAdapter && batch === settings.global_batch);
  if (like === undefined) return [];
  const how =
    settings.packing === true ? 'rows here hold whole dialogues that do not see one another' : 'rows here hold one dialogue';
  const meaning = `not comparable: ${how}, those of v0.3 were cut from all dialogues end to end`;
  return [{ name: 'held-out loss of public trainings', value: digits(held), expected: like.loss, ok: null, meaning }];
}
