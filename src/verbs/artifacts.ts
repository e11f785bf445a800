import { Option } from 'commander';
import { HUB, JSON_OUT, ON, type Verb } from './verb.ts';

/** The verbs about what was made. */
export const ARTIFACT_VERBS: readonly Verb[] = [
  {
    usage: 'inspect <id>',
    about: 'an artifact and where it comes from',
    load: async () => (await import('../commands/inspect.ts')).inspect,
    options: [HUB, JSON_OUT],
  },
  {
    usage: 'chat <id>',
    about: 'talk with a model on this terminal, or have it answer one question',
    load: async () => (await import('../commands/chat.ts')).chat,
    options: [
      ON,
      HUB,
      JSON_OUT,
      new Option('--prompt <text>', 'answer this alone; so is what comes through a pipe'),
      new Option('--system <text>', 'a system turn; without it the one that the model was trained with'),
      new Option('--compare <id>', 'another model answers beside it'),
      new Option('--temperature <number>', "0 takes the likeliest token; without it the model's own, or 0.7"),
      new Option('--top-p <number>', "share of the likeliest tokens; without it the model's own, or 0.95"),
      new Option('--max-tokens <number>', 'ends an answer that is longer; without it the context does'),
      new Option('--seed <number>', 'the same answers again'),
    ],
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
    usage: 'card <id>',
    about: 'what evaluations found onto the card of the model',
    load: async () => (await import('../commands/card.ts')).card,
    options: [HUB, JSON_OUT],
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
