import { taskStep } from '../../programs.ts';
import { datasetRepo, inputOf, type Setting } from '../../setting.ts';
import type { Step } from '../../stage.ts';
import type { AifTeachers } from '../spec.ts';
import type { AifPairs, AifRatings, BinarizeSpec } from './spec.ts';

/** Task `binarize`: reads the inputs `prompts`, `completions` and `ratings`. */
export type BinarizeConfig = {
  readonly version: 1;
  readonly seed: number;
  readonly score: BinarizeSpec['score'];
  readonly rejected: BinarizeSpec['rejected'];
  readonly ties: BinarizeSpec['ties'];
  readonly min_margin: number;
  readonly min_chosen: number;
  readonly test_prompts: number;
};

/** Task `rebinarize`: reads the input `ratings` (rows as openbmb/UltraFeedback has them) and, where given, `decontaminate`. */
export type RebinarizeConfig = BinarizeConfig & { readonly split: string; readonly drop_sources: readonly string[] };

/** Task `pass-pairs`: reads the input `pairs`, writes its splits as `train_prefs` and `test_prefs`. */
export type PassPairsConfig = {
  readonly version: 1;
  readonly train: string;
  readonly test: string | null;
  readonly rows: Readonly<Record<string, number>> | null;
};

function binarizeConfig(setting: Setting, binarize: BinarizeSpec): BinarizeConfig {
  return {
    version: 1,
    seed: setting.seed,
    score: binarize.score,
    rejected: binarize.rejected,
    ties: binarize.ties,
    min_margin: binarize.minMargin,
    min_chosen: binarize.minChosen,
    test_prompts: binarize.testPrompts,
  };
}

export function binarizeStep(setting: Setting, { binarize }: AifTeachers): Step {
  return taskStep('binarize', {
    stage: 'aif',
    name: 'binarize',
    summary: `chosen by ${binarize.score}, rejected ${binarize.rejected}`,
    inputs: {
      prompts: { from: 'step', step: 'prompts' },
      completions: { from: 'step', step: 'generate' },
      ratings: { from: 'step', step: 'judge' },
    },
    config: binarizeConfig(setting, binarize),
    output: datasetRepo(setting, 'aif'),
  });
}

export function rebinarizeStep(setting: Setting, spec: AifRatings): Step {
  const config: RebinarizeConfig = {
    ...binarizeConfig(setting, spec.binarize),
    split: spec.split,
    drop_sources: spec.dropSources,
  };
  return taskStep('rebinarize', {
    stage: 'aif',
    name: 'binarize',
    summary: `published ratings: chosen by ${spec.binarize.score}, rejected ${spec.binarize.rejected}`,
    inputs: {
      ratings: inputOf(spec.ref),
      ...(spec.decontaminate === undefined ? {} : { decontaminate: inputOf(spec.decontaminate) }),
    },
    config,
    output: datasetRepo(setting, 'aif'),
  });
}

export function passPairsStep(setting: Setting, spec: AifPairs): Step {
  const config: PassPairsConfig = { version: 1, train: spec.train, test: spec.test, rows: spec.rows ?? null };
  return taskStep('pass-pairs', {
    stage: 'aif',
    name: 'binarize',
    summary: `published pairs of ${spec.ref}`,
    inputs: { pairs: inputOf(spec.ref) },
    config,
    output: datasetRepo(setting, 'aif'),
  });
}
