import type { Judgement } from './judge-once.ts';
import type { JudgeRequest } from './judge-requests.ts';
import type { Rating } from './rating.ts';

const NOTHING = { rating: null, value: null, mass: null, na: false, rationale: null };

/** What became of a request, a row for each number that it asked for. `injected`: ids of answers that speak to the judge. */
export function ratingRows(request: JudgeRequest, { reading, judge, key }: Judgement, injected: ReadonlySet<string>): Rating[] {
  return request.format.slots.map(({ position, aspect, against }, index) => {
    const { completion_id, prompt_id } = request.answers[position] as JudgeRequest['answers'][number];
    const found = reading.ok ? (reading.found[index] ?? NOTHING) : NOTHING;
    return {
      completion_id,
      prompt_id,
      aspect,
      judge,
      seat: request.judgeIndex,
      template_id: request.instructions.id,
      template_sha256: request.instructions.sha256,
      permutation: request.permutation,
      position,
      against: against === null ? null : (request.answers[against]?.completion_id ?? null),
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
