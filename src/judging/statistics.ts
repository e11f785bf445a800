import type { Json } from '../base/canonical-json.ts';
import { counter } from '../base/counter.ts';
import { agreementOfTwo, krippendorff, pairsAmong, type Said } from './agreement.ts';
import { spearman } from './correlation.ts';
import type { Rating } from './rating.ts';
import { hasMark, MARK_NAMES } from './text-marks.ts';
import { meanOf, scoreOfAnswer, verdictOf } from './verdict.ts';

export interface JudgedAnswer {
  readonly completion_id: string;
  readonly model: string;
  readonly text: string;
}

interface Sum {
  sum: number;
  count: number;
}

/**
 * Collects what ratings say of their judges, prompt by prompt: how the order of the texts, their length, their style and
 * their author move a rating, and how far judges agree. A number for each answer is held, no text.
 */
export class JudgeStatistics {
  readonly #statuses = counter();
  readonly #orders = agreementOfTwo();
  readonly #judges = agreementOfTwo();
  /** by aspect */
  readonly #alphas = new Map<string, ReturnType<typeof krippendorff>>();
  readonly #positions: Sum[] = [];
  readonly #models = new Map<string, Sum>();
  readonly #scores: number[] = [];
  readonly #lengths: number[] = [];
  readonly #marks = MARK_NAMES.map((name) => ({ name, has: [] as number[] }));
  readonly #longer = { wins: 0, pairs: 0 };
  #notApplicable = 0;

  /** All answers to one prompt, and all their ratings. */
  add(answers: readonly JudgedAnswer[], rows: readonly Rating[]): void {
    for (const { status } of rows) this.#statuses.add(status);
    this.#notApplicable += rows.filter(({ na }) => na).length;
    this.#addOrders(rows);
    this.#addPanel(rows);
    const byAnswer = Map.groupBy(rows, ({ completion_id }) => completion_id);
    const scored = answers.flatMap(({ completion_id, model, text }) => {
      const score = scoreOfAnswer(byAnswer.get(completion_id) ?? []);
      return score === null ? [] : [{ model, text, score }];
    });
    for (const { model, text, score } of scored) {
      this.#scores.push(score);
      this.#lengths.push(text.length);
      for (const { name, has } of this.#marks) has.push(hasMark(text, name) ? 1 : 0);
      const own = this.#models.get(model) ?? { sum: 0, count: 0 };
      this.#models.set(model, { sum: own.sum + score, count: own.count + 1 });
    }
    for (const [one, other] of pairsAmong(scored)) {
      const [score, length] = [one.score - other.score, one.text.length - other.text.length];
      if (score === 0 || length === 0) continue;
      this.#longer.pairs += 1;
      this.#longer.wins += score > 0 === length > 0 ? 1 : 0;
    }
  }

  #addOrders(rows: readonly Rating[]): void {
    const whose = ({ seat, aspect, completion_id, against }: Rating) => [seat, aspect, pairOf(completion_id, against)];
    for (const same of groups(rows, whose)) {
      const byOrder = groups(same, ({ permutation }) => [permutation]);
      // a text that was judged alone has no place among others
      const sideBySide = byOrder.filter((request) => request.some(({ position }) => position > 0)).flat();
      for (const { position, value } of sideBySide) if (value !== null) addTo(this.#positions, position, value);
      for (const [one, other] of pairsAmong(byOrder.map(said))) this.#orders.add(one, other);
    }
  }

  #addPanel(rows: readonly Rating[]): void {
    for (const own of groups(rows, ({ aspect }) => [aspect])) {
      const byJudge = groups(own, ({ seat }) => [seat]).map(meanByAnswer);
      if (byJudge.length < 2) continue;
      const aspect = own[0]?.aspect ?? '';
      const alpha = this.#alphas.get(aspect) ?? krippendorff();
      this.#alphas.set(aspect, alpha);
      for (const answer of new Set(byJudge.flatMap((judge) => [...judge.keys()])))
        alpha.add(byJudge.flatMap((judge) => judge.get(answer) ?? []));
      for (const [one, other] of pairsAmong(byJudge)) this.#judges.add(one, other);
    }
  }

  report(): Record<string, Json> {
    const [orders, judges, longer] = [this.#orders.counts, this.#judges.counts, this.#longer];
    return {
      by_status: this.#statuses.counts(),
      not_applicable: this.#notApplicable,
      orders: {
        pairs: orders.pairs,
        ranked_differently: rate(orders.pairs - orders.samePreference, orders.pairs),
        rated_differently: rate(orders.texts - orders.sameValue, orders.texts),
      },
      mean_by_position: this.#positions.map(({ sum, count }) => rate(sum, count)),
      mean_by_model: Object.fromEntries([...this.#models].sort().map(([model, { sum, count }]) => [model, rate(sum, count)])),
      length: {
        spearman: spearman(this.#scores, this.#lengths),
        pairs: longer.pairs,
        longer_wins: rate(longer.wins, longer.pairs),
      },
      style: Object.fromEntries(
        this.#marks.map(({ name, has }) => [name, { share: meanOf(has), spearman: spearman(this.#scores, has) }]),
      ),
      panel:
        this.#alphas.size === 0
          ? null
          : {
              krippendorff_alpha: Object.fromEntries([...this.#alphas].map(([aspect, { alpha }]) => [aspect, alpha()])),
              pairs: judges.pairs,
              ranked_alike: rate(judges.samePreference, judges.pairs),
              rated_alike: rate(judges.sameValue, judges.texts),
            },
    };
  }
}

/** Two answers that were compared, in one order for rows about either; empty where all texts were rated side by side. */
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

function addTo(sums: Sum[], at: number, value: number): void {
  while (sums.length <= at) sums.push({ sum: 0, count: 0 });
  const own = sums[at] as Sum;
  own.sum += value;
  own.count += 1;
}

function rate(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}
