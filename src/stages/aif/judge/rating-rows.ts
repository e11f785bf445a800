import type { Settled } from '../../../judging/judge-once.ts';
import type { Sheet } from '../../../judging/judge-requests.ts';
import type { Rating } from '../../../judging/rating.ts';

const NOTHING = { rating: null, value: null, mass: null, na: false, rationale: null };

/** What became of a sheet, a row for each number that it asked for. `injected`: ids of answers that speak to the judge. */
export function ratingRows(sheet: Sheet, { reading, judge, key }: Settled, injected: ReadonlySet<string>): Rating[] {
  return sheet.form.cells.map(({ position, aspect, against }, index) => {
    const { completion_id, prompt_id } = sheet.answers[position] as Sheet['answers'][number];
    const found = reading.ok ? (reading.found[index] ?? NOTHING) : NOTHING;
    return {
      completion_id,
      prompt_id,
      aspect,
      judge,
      seat: sheet.seat,
      template_id: sheet.instructions.id,
      template_sha256: sheet.instructions.sha256,
      permutation: sheet.permutation,
      position,
      against: against === null ? null : (sheet.answers[against]?.completion_id ?? null),
      rating: found.rating,
      value: found.value,
      mass: found.mass,
      na: found.na,
      rationale: found.rationale,
      injection: injected.has(completion_id),
      status: reading.ok ? 'ok' : reading.status,
      call_key: key,
    };
  });
}
