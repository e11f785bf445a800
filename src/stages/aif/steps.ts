import { jobStep, taskStep } from '../programs.ts';
import { type CallConfig, callConfig, datasetRepo, inputOf, type Setting } from '../setting.ts';
import type { Step, StepInput } from '../stage.ts';
import type { AifPairs, AifRatings, AifSpec, AifTeachers, BinarizeSpec } from './spec.ts';
import { judgeFiles, principleFile } from './templates.ts';

/** Task `prompts`: reads the input `source` (or `list`), writes `prompts.jsonl` with `prompt_id` and `prompt`. */
export type PromptsConfig = {
  readonly version: 1;
  readonly seed: number;
  readonly split: string;
  readonly column: string;
  readonly list: readonly string[];
  readonly rows: number | null;
  readonly max_characters: number;
};

/** A pool member is asked over an API (`call`) or has answered every prompt already in the input named `input`. */
export type PoolMember =
  | { readonly id: string; readonly weight: number; readonly call: CallConfig }
  | { readonly id: string; readonly weight: number; readonly input: string };

/** Task `generate`: reads the inputs `prompts` and `answers-N`, and `templates/principle-ID.md` of scripts/train. */
export type GenerateConfig = {
  readonly version: 1;
  readonly seed: number;
  readonly pool: readonly PoolMember[];
  readonly answers_per_prompt: number;
  readonly principles: readonly string[];
};

/** Task `judge`: reads the inputs `prompts` and `completions`, and `templates/judge-*.md` of scripts/train. */
export type JudgeConfig = {
  readonly version: 1;
  readonly seed: number;
  readonly call: CallConfig;
  readonly aspects: readonly string[];
  readonly overall: boolean;
  readonly permutations: number;
};

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

/** prompts -> answers-N (model artifacts of the pool) -> generate -> judge -> binarize; published feedback needs one step. */
export function aifSteps(setting: Setting, spec: AifSpec): Step[] {
  switch (spec.source) {
    case 'teachers':
      return [
        promptsStep(setting, spec),
        ...answerSteps(setting, spec),
        generateStep(setting, spec),
        judgeStep(setting, spec),
        binarizeStep(setting, spec),
      ];
    case 'ratings':
      return [rebinarizeStep(setting, spec)];
    case 'pairs':
      return [passPairsStep(setting, spec)];
  }
}

function promptsStep(setting: Setting, { prompts }: AifTeachers): Step {
  const config: PromptsConfig = {
    version: 1,
    seed: setting.seed,
    split: prompts.split,
    column: prompts.column,
    list: prompts.list,
    rows: prompts.rows,
    max_characters: prompts.maxCharacters,
  };
  return taskStep('prompts', {
    stage: 'aif',
    name: 'prompts',
    summary: prompts.rows === null ? 'all prompts' : `at most ${prompts.rows} prompts`,
    inputs: {
      ...(prompts.ref === undefined ? {} : { source: inputOf(prompts.ref) }),
      ...(prompts.decontaminate === undefined ? {} : { decontaminate: inputOf(prompts.decontaminate) }),
    },
    config,
    output: datasetRepo(setting, 'prompts'),
  });
}

/** The pool members that answer in a job; N counts them from 1 in the pool's order. */
function artifactMembers(spec: AifTeachers) {
  return spec.pool
    .flatMap((member) => (member.model === undefined ? [] : [{ ...member, model: member.model }]))
    .map((member, index) => ({ ...member, id: `answers-${index + 1}` }));
}

function answerSteps(setting: Setting, spec: AifTeachers): Step[] {
  return artifactMembers(spec).map((member) =>
    jobStep('generate', {
      stage: 'aif',
      name: member.id,
      summary: `answers of ${member.model}`,
      inputs: { model: inputOf(member.model), prompts: { from: 'step', step: 'prompts' } },
      config: {
        template: setting.template,
        system: setting.system,
        max_new_tokens: spec.answer.maxTokens,
        temperature: spec.answer.temperature,
        top_p: spec.answer.topP,
        samples: 1,
        batch_size: member.batchSize,
        seed: setting.seed,
        engine: member.engine,
      },
      output: datasetRepo(setting, member.id),
      saveSteps: 50,
    }),
  );
}

function generateStep(setting: Setting, spec: AifTeachers): Step {
  const jobs = artifactMembers(spec);
  let job = 0;
  const pool = spec.pool.map(({ teacher, weight }): PoolMember => {
    if (teacher !== undefined) return { id: teacher, weight, call: callConfig(setting, teacher, spec.answer) };
    const { id } = jobs[job++] as { id: string };
    return { id, weight, input: id };
  });
  const config: GenerateConfig = {
    version: 1,
    seed: setting.seed,
    pool,
    answers_per_prompt: spec.answersPerPrompt,
    principles: spec.principles,
  };
  const answers = jobs.map(({ id }): [string, StepInput] => [id, { from: 'step', step: id }]);
  return taskStep('generate', {
    stage: 'aif',
    name: 'generate',
    summary: `${spec.answersPerPrompt} answers a prompt from a pool of ${pool.length}`,
    inputs: { prompts: { from: 'step', step: 'prompts' }, ...Object.fromEntries(answers) },
    config,
    files: spec.principles.map(principleFile),
    output: datasetRepo(setting, 'completions'),
  });
}

function judgeStep(setting: Setting, { judge }: AifTeachers): Step {
  const config: JudgeConfig = {
    version: 1,
    seed: setting.seed,
    call: callConfig(setting, judge.teacher, judge),
    aspects: judge.aspects,
    overall: judge.overall,
    permutations: judge.permutations,
  };
  const what = [...judge.aspects, ...(judge.overall ? ['overall'] : [])];
  return taskStep('judge', {
    stage: 'aif',
    name: 'judge',
    summary: `${config.call.model} rates ${what.join(', ')}`,
    inputs: { prompts: { from: 'step', step: 'prompts' }, completions: { from: 'step', step: 'generate' } },
    config,
    files: judgeFiles(judge.aspects, judge.overall),
    output: datasetRepo(setting, 'ratings'),
  });
}

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

function binarizeStep(setting: Setting, { binarize }: AifTeachers): Step {
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

function rebinarizeStep(setting: Setting, spec: AifRatings): Step {
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

function passPairsStep(setting: Setting, spec: AifPairs): Step {
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
