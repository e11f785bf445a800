import { STRONG_WEIGHT } from './config.ts';

/** Our answer's share of one game, and how often the game counts. */
export interface Game {
  readonly share: number;
  readonly weight: number;
}

/** Share of the answer A. */
const LABELS: Readonly<Record<string, Game>> = {
  'A>>B': { share: 1, weight: STRONG_WEIGHT },
  'A>B': { share: 1, weight: 1 },
  'A=B': { share: 0.5, weight: 1 },
  'B>A': { share: 0, weight: 1 },
  'B>>A': { share: 0, weight: STRONG_WEIGHT },
};

/** A reply's verdict as a game of ours, which stands as A or as B; undefined without a label or with several that differ. */
export function readGame(reply: string, ours: 'A' | 'B'): Game | undefined {
  const found = new Set([...reply.matchAll(/\[\[([AB]\s*[<>=]{1,2}\s*[AB])\]\]/g)].map(([, label]) => label));
  const [label] = found;
  const game = found.size === 1 && label !== undefined ? LABELS[label.replaceAll(/\s/g, '')] : undefined;
  if (game === undefined || ours === 'A') return game;
  return { ...game, share: 1 - game.share };
}

/** The mean share of games, each counted by its weight. */
export function winShare(games: readonly Game[]): number {
  const weights = games.reduce((sum, { weight }) => sum + weight, 0);
  return games.reduce((sum, { share, weight }) => sum + share * weight, 0) / weights;
}
