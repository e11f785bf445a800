/** `.argilla/settings.json` as `rg.Settings.to_json` of Argilla 2.8 writes it; ids and times are given by a server. */
const UNKNOWN = { id: null, inserted_at: null, updated_at: null };

const field = (name: string, title: string) => ({
  ...UNKNOWN,
  ...{ name, title, required: true, description: null, dataset_id: null, type: 'text' },
  settings: { type: 'text', use_markdown: false },
});

const metadata = (name: string, title: string, type: 'float' | 'integer' | 'terms') => ({
  ...UNKNOWN,
  ...{ name, title, visible_for_annotators: false, dataset_id: null },
  settings: { visible_for_annotators: false, type, ...(type === 'terms' ? { values: null } : { min: null, max: null }) },
});

function question(name: string, title: string, description: string, settings: { readonly type: string }) {
  const required = settings === PREFERENCE;
  return { ...UNKNOWN, name, title, description, required, dataset_id: null, type: settings.type, settings };
}

const PREFERENCE = {
  type: 'label_selection',
  options: [
    { text: 'Answer A', value: 'a' },
    { text: 'Answer B', value: 'b' },
    { text: 'Neither', value: 'tie' },
  ],
  visible_options: 3,
};

const COMMENT = { type: 'text', use_markdown: false };

const RATING = { type: 'rating', options: [1, 2, 3, 4, 5].map((value) => ({ value })) };

const GUIDELINES =
  'Read the prompt and both answers, then say which answer is the better one. A suggestion is what the judge of the dataset said; which answer stands on which side was drawn by lot.';

export function argillaSettings(aspects: readonly string[]): object {
  const rated = aspects.flatMap((aspect) =>
    (['a', 'b'] as const).map((side) =>
      question(
        `${aspect}_${side}`,
        `${aspect.replaceAll('_', ' ')} of answer ${side.toUpperCase()}`,
        '1 is worst, 5 is best',
        RATING,
      ),
    ),
  );
  return {
    guidelines: GUIDELINES,
    questions: [
      question('preference', 'Which answer is better?', 'Neither, where you cannot tell', PREFERENCE),
      ...rated,
      question('comment', 'Anything to say?', 'Why, or what is wrong with the prompt', COMMENT),
    ],
    fields: [field('prompt', 'Prompt'), field('answer_a', 'Answer A'), field('answer_b', 'Answer B')],
    vectors: [],
    metadata: [
      metadata('margin', 'Margin', 'float'),
      metadata('disagreement', 'Disagreement', 'float'),
      metadata('length_gap', 'Length gap, characters', 'integer'),
      metadata('source', 'Source', 'terms'),
      metadata('split', 'Split', 'terms'),
      metadata('flags', 'Flags', 'terms'),
      metadata('chosen_side', 'Side of the chosen answer', 'terms'),
      metadata('chosen_model', 'Model of the chosen answer', 'terms'),
      metadata('rejected_model', 'Model of the rejected answer', 'terms'),
    ],
    allow_extra_metadata: false,
    distribution: { strategy: 'overlap', min_submitted: 1 },
    mapping: null,
  };
}

/** `.argilla/dataset.json`; the importer gives it a workspace. */
export function argillaDataset(name: string): object {
  return {
    ...UNKNOWN,
    ...{ name, status: 'draft', guidelines: GUIDELINES, allow_extra_metadata: false },
    distribution: { strategy: 'overlap', min_submitted: 1 },
    workspace_id: null,
    last_activity_at: null,
  };
}
