import * as z from 'zod';
import { budgetUsd, configName, maxUnanswered } from '../../data-spec.ts';
import { datasetText } from '../../recipe-context.ts';

const share = z.number().positive().default(1).describe('How many of the dialogues are of this kind, relative to the others');

const turns = (min: number, max: number, source: string) =>
  z
    .strictObject({
      min: z.int().positive().default(min).describe('Fewest rounds of question and answer'),
      max: z.int().positive().default(max).describe(`Most rounds; UltraChat: ${source}`),
    })
    .refine((range) => range.min <= range.max, 'expected min to be at most max')
    .prefault({});

/** Questions about the world: topics, their subtopics, questions on each. */
const world = z.strictObject({
  share,
  topics: z.array(z.string().min(1)).default([]).describe('What the dialogues are about; UltraChat: 30 meta-topics'),
  topicsFile: z.string().optional().describe('Text file with one topic a line, relative to the recipe; read into `topics`'),
  subtopics: z
    .int()
    .nonnegative()
    .default(0)
    .describe('Subtopics that the user model finds for each topic, 0 to ask about the topics themselves; UltraChat: 30 to 50'),
  questions: z.int().positive().default(10).describe('Opening questions asked for at once; UltraChat: up to 10 a subtopic'),
  turns: turns(1, 3, '3 to 7'),
});

/** Texts to be written: instructions for each type, most of them made more detailed. */
const writing = z.strictObject({
  share,
  types: z
    .array(z.string().min(1))
    .default([
      'articles and blog posts',
      'job application material',
      'stories',
      'legal documents and contracts',
      'poems',
      'educational content',
      'screenplays',
      'scripts for language learning',
      'technical documents and reports',
      'marketing materials',
      'social media posts',
      'personal essays',
      'emails',
      'scientific papers and summaries',
      'speeches and presentations',
      'recipes and other instructions',
      'news articles',
      'song lyrics',
      'product descriptions and reviews',
      'programs and code',
    ])
    .describe('Kinds of text; UltraChat: 20'),
  instructions: z.int().positive().default(20).describe('Instructions asked for at once for a type; UltraChat: 200 in all'),
  elaborated: z
    .number()
    .min(0)
    .max(1)
    .default(0.8)
    .describe('Part of the instructions that the user model makes more detailed; UltraChat: 0.8'),
  turns: turns(2, 4, '2 to 4'),
});

/** Texts that exist: instructions that ask something of them. */
const material = z.strictObject({
  share,
  ref: datasetText.describe('Dataset of texts; UltraChat: 100,000 of C4'),
  config: configName,
  split: z.string().min(1).default('train').describe('Its split'),
  column: z.string().min(1).default('text').describe('Its column'),
  texts: z.int().positive().default(1000).describe('Texts to use at most, chosen by the seed'),
  maxCharacters: z.int().positive().default(4000).describe('Longer texts are left out, in characters'),
  instructions: z.int().positive().default(5).describe('Instructions asked for a text; UltraChat: up to 5'),
  turns: turns(2, 4, '2 to 4'),
});

export const dsftTeacher = z
  .strictObject({
    source: z.literal('teacher'),
    budgetUsd,
    maxUnanswered,
    user: z.string().describe('Id of the teacher that plays the user'),
    assistant: z.string().describe('Id of the teacher that answers: the one to distil'),
    dialogues: z.int().positive().describe('Dialogues to make for training; UltraChat 200k: 207,865'),
    testDialogues: z.int().nonnegative().default(0).describe('Dialogues to make for the held-out split; UltraChat 200k: 23,110'),
    world: world.optional().describe('Questions about the world'),
    writing: writing.optional().describe('Texts to be written'),
    material: material.optional().describe('Questions and tasks about texts that exist'),
    refusals: z
      .enum(['drop', 'keep'])
      .default('drop')
      .describe('Dialogues in which the assistant declines; another opening takes the place of one that is dropped'),
    nearDuplicates: z
      .enum(['drop', 'keep'])
      .default('drop')
      .describe('Openings that say almost the same as another one (MinHash, Jaccard similarity 0.8)'),
    temperature: z.number().min(0).max(2).default(1).describe('Sampling temperature of both sides'),
    topP: z.number().positive().max(1).default(1).describe('Nucleus sampling of both sides'),
    maxTokens: z.int().positive().default(1024).describe('Tokens of one turn at most'),
  })
  .refine(
    (data) => [data.world, data.writing, data.material].some((kind) => kind !== undefined),
    'expected one of world, writing and material',
  )
  .describe('Make dialogues with teachers: one plays the user, one answers, as UltraChat was made');

export type DsftTeacher = z.infer<typeof dsftTeacher>;
