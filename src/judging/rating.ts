/** `invalid`: the judge's reply cannot be read; `missing`: there is no reply. Neither has a value, and no value is ever made up. */
export type RatingStatus = 'ok' | 'invalid' | 'refused' | 'missing';

/**
 * What one judge made of one answer in one aspect, seeing the answers in one order. What is aggregated is `value` and
 * nothing else: first the mean over a judge's rows (orders of the texts, opponents), then the median over the judges; see
 * `verdictOf`.
 */
export type Rating = {
  readonly completion_id: string;
  readonly prompt_id: string;
  /** One of the recipe's, rated 1 to 5; `overall`, 1 to 10; `comparison`, 0 to 1; `reward`, any number. */
  readonly aspect: string;
  /** The model that gave the reply; the fallback's where the judge's could not be read. */
  readonly judge: string;
  /** Index of the judge in the panel, from 0; a fallback has that of the judge that it stands in for. */
  readonly seat: number;
  /** The template files that the judge's instructions are made of, and the sha256 of the instructions; null for a reward. */
  readonly template_id: string | null;
  readonly template_sha256: string | null;
  readonly permutation: number;
  /** from 0, as the judge saw the answers */
  readonly position: number;
  /** The answer that it was compared with, in a comparison of two. */
  readonly against: string | null;
  /** The number that the judge wrote; null where it wrote none: comparisons, rewards, "does not apply", status not ok. */
  readonly rating: number | null;
  /** The rating; the expected rating; the reward; 1, 0.5 or 0 for an answer that won, tied or lost a comparison. */
  readonly value: number | null;
  /** Probability that the judge gave to the digits of the scale, where the value is an expected rating. */
  readonly mass: number | null;
  /** The judge says that the aspect does not apply. */
  readonly na: boolean;
  readonly rationale: string | null;
  /** The answer tries to speak to the judge; counted, not dropped. */
  readonly injection: boolean;
  readonly status: RatingStatus;
  /** of the last call; null for a reward */
  readonly call_key: string | null;
};

/** What a rating has of its judge where none was asked here: that of a published row, and a reward. */
export const NOT_ASKED_HERE = {
  seat: 0,
  template_id: null,
  template_sha256: null,
  permutation: 0,
  position: 0,
  against: null,
  mass: null,
  rationale: null,
  call_key: null,
} as const satisfies Partial<Rating>;
