import type { Json } from '../base/canonical-json.ts';
import { counter } from '../base/counter.ts';
import { krippendorff } from './agreement.ts';
import { spearman } from './correlation.ts';
import { agreementOfTwo, pairsAmong, type Said } from './orders.ts';
import type { Rating } from './rating.ts';
import { hasMark, MARK_NAMES } from './style.ts';
import { meanOf, scoreOfAnswer, verdictOf } from './verdict.ts';

export interface JudgedAnswer {
  readonly completion_id: string;
  readonly model: string;
  readonly text: string;
}

/**
 * Collects what ratings say of their judges, prompt by prompt: how the order of the texts, their length, their style and
 * their author move a rating, and how far judges agree. A number for each answer is held, no text.
 */
export function judgeStatistics() {
  const statuses = counter();
  const orders = agreementOfTwo();
  const judges = agreementOfTwo();
  const alphas = new Map<string, ReturnType<typeof krippendorff>>();
  const positions: { sum: number; count: number }[] = [];
  const models = new Map<string, { sum: number; count: number }>();
  const scores: number[] = [];
  const lengths: number[] = [];
  const marks = MARK_NAMES.map((name) => ({ name, has: [] as number[] }));
  const longer = { wins: 0, pairs: 0 };
  let notApplicable = 0;

  function addOrders(rows: readonly Rating[]): void {
    for (const same of groups(rows, ({ seat, aspect, completion_id, against }) => [
      seat,
      aspect,
      pairOf(completion_id, against),
    ])) {
      const byOrder = groups(same, ({ permutation }) => [permutation]);
      for (const sheet of byOrder)
        if (sheet.some(({ position }) => position > 0))
          for (const { position, value } of sheet) if (value !== null) addTo(positions, position, value);
      for (const [one, other] of pairsAmong(byOrder.map(said))) orders.add(one, other);
    }
  }
  function addPanel(rows: readonly Rating[]): void {
    for (const own of groups(rows, ({ aspect }) => [aspect])) {
      const bySeat = groups(own, ({ seat }) => [seat]).map(meanByAnswer);
      if (bySeat.length < 2) continue;
      const aspect = own[0]?.aspect ?? '';
      const alpha = alphas.get(aspect) ?? krippendorff();
      alphas.set(aspect, alpha);
      for (const answer of new Set(bySeat.flatMap((seat) => [...seat.keys()])))
        alpha.add(bySeat.flatMap((seat) => seat.get(answer) ?? []));
      for (const [one, other] of pairsAmong(bySeat)) judges.add(one, other);
    }
  }

  return {
    /** All answers to one prompt, and all their ratings. */
    add(answers: readonly JudgedAnswer[], rows: readonly Rating[]): void {
      for (const { status, na } of rows) {
        statuses.add(status);
        notApplicable += na ? 1 : 0;
      }
      addOrders(rows);
      addPanel(rows);
      const byAnswer = Map.groupBy(rows, ({ completion_id }) => completion_id);
      const scored = answers.flatMap(({ completion_id, model, text }) => {
        const score = scoreOfAnswer(byAnswer.get(completion_id) ?? []);
        return score === null ? [] : [{ model, text, score }];
      });
      for (const { model, text, score } of scored) {
        scores.push(score);
        lengths.push(text.length);
        for (const { name, has } of marks) has.push(hasMark(text, name) ? 1 : 0);
        const own = models.get(model) ?? { sum: 0, count: 0 };
        models.set(model, { sum: own.sum + score, count: own.count + 1 });
      }
      for (const [one, other] of pairsAmong(scored)) {
        if (one.score === other.score || one.text.length === other.text.length) continue;
        longer.pairs += 1;
        longer.wins += one.score > other.score === one.text.length > other.text.length ? 1 : 0;
      }
    },
    report: (): Record<string, Json> => ({
      by_status: statuses.counts(),
      not_applicable: notApplicable,
      orders: {
        pairs: orders.counts.pairs,
        ranked_differently: rate(orders.counts.pairs - orders.counts.samePreference, orders.counts.pairs),
        rated_differently: rate(orders.counts.texts - orders.counts.sameValue, orders.counts.texts),
      },
      mean_by_position: positions.map(({ sum, count }) => rate(sum, count)),
      mean_by_model: Object.fromEntries([...models].sort().map(([model, { sum, count }]) => [model, rate(sum, count)])),
      length: { spearman: spearman(scores, lengths), pairs: longer.pairs, longer_wins: rate(longer.wins, longer.pairs) },
      style: Object.fromEntries(marks.map(({ name, has }) => [name, { share: meanOf(has), spearman: spearman(scores, has) }])),
      panel:
        alphas.size === 0
          ? null
          : {
              krippendorff_alpha: Object.fromEntries([...alphas].map(([aspect, { alpha }]) => [aspect, alpha()])),
              pairs: judges.counts.pairs,
              ranked_alike: rate(judges.counts.samePreference, judges.counts.pairs),
              rated_alike: rate(judges.counts.sameValue, judges.counts.texts),
            },
    }),
  };
}

/** Two answers that were compared, whichever of them a row is about; empty for a rating of all texts. */
function pairOf(one: string, other: string | null): string {
  return other === null ? '' : [one, other].sort().join(' ');
}

function said(rows: readonly Rating[]): Said {
  return new Map(rows.flatMap(({ completion_id, value }) => (value === null ? [] : [[completion_id, value] as const])));
}

/** A judge's number for each answer in one aspect. */
function meanByAnswer(rows: readonly Rating[]): Said {
  return new Map(
    groups(rows, ({ completion_id }) => [completion_id]).flatMap((own) => {
      const { value } = verdictOf(own);
      return value === null ? [] : [[own[0]?.completion_id ?? '', value] as const];
    }),
  );
}

function groups(rows: readonly Rating[], by: (row: Rating) => readonly (string | number)[]): Rating[][] {
  return [...Map.groupBy(rows, (row) => by(row).join('\0')).values()];
}

function addTo(sums: { sum: number; count: number }[], at: number, value: number): void {
  while (sums.length <= at) sums.push({ sum: 0, count: 0 });
  const own = sums[at] as { sum: number; count: number };
  own.sum += value;
  own.count += 1;
}

function rate(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}
