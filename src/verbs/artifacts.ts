import { Option } from 'commander';
import { HUB, JSON_OUT, type Verb } from './verb.ts';

/** The verbs about what was made. */
export const ARTIFACT_VERBS: readonly Verb[] = [
  {
    usage: 'inspect <id>',
    about: 'an artifact and where it comes from',
    load: async () => (await import('../commands/inspect.ts')).inspect,
    options: [HUB, JSON_OUT],
  },
  {
    usage: 'report <id>',
    about: 'how an artifact was made and how good it is, as one page',
    load: async () => (await import('../commands/model-report.ts')).modelReport,
    options: [
      HUB,
      JSON_OUT,
      new Option('--out <file>', 'where to write the page, NAME-report.html here without it'),
      new Option('--markdown <file>', 'add the same in Markdown to this file, such as $GITHUB_STEP_SUMMARY'),
    ],
  },
  {
    usage: 'compare <ids...>',
    about: 'models that were evaluated, or evaluations, item by item',
    load: async () => (await import('../commands/compare.ts')).compare,
    options: [HUB, JSON_OUT, new Option('--published', 'show what others published on these benchmarks as well')],
  },
  {
    usage: 'review <id>',
    about: 'pairs of feedback as one page to read in a browser',
    load: async () => (await import('../commands/review.ts')).review,
    options: [
      HUB,
      JSON_OUT,
      new Option('--out <file>', 'where to write the page, NAME-review.html here without it'),
      new Option('--rows <number>', 'pairs to show, drawn by the seed, or all').default('300'),
      new Option('--seed <number>', 'draws the pairs').default('42'),
    ],
  },
  {
    usage: 'export <id>',
    about: 'pairs of feedback for people to judge in a labelling tool',
    load: async () => (await import('../commands/export.ts')).exportFeedback,
    options: [
      HUB,
      JSON_OUT,
      new Option('--to <folder>', 'an empty folder, or one that is not there yet'),
      new Option('--as <tool>', 'layout of the folder').choices(['argilla']).default('argilla'),
    ],
  },
];
