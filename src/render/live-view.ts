import { formatDuration } from './format.ts';
import type { Paint } from './paint.ts';
import type { RunningStep, TransferEvent } from './running-steps.ts';
import { progressBar, sparkline } from './sparkline.ts';
import { holdsId } from './table.ts';
import { oneLine, pad, textWidth, truncate, wrap } from './text-width.ts';
import { progressParts, transferParts, type Wording } from './wording.ts';

const SPINNER = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const NAME_WIDTH = 12;
/** Columns below which the view cuts a text and does not wrap it. */
const LEAST_WRAPPED = 30;
const MARKS = { start: '·', ok: '✓', info: '·', warning: '!', failed: '✗' } as const;
const MARK_STYLES = { start: 'cyan', ok: 'green', info: 'dim', warning: 'yellow', failed: 'red' } as const;

/** A running step as one line of at most `width` columns: what matters most is kept when there is little room. */
export function liveLine(step: RunningStep, options: { now: number; width: number; paint: Paint }): string {
  const { now, width, paint } = options;
  const spinner = SPINNER[Math.floor(now * 10) % SPINNER.length] ?? '·';
  const name = width < 60 ? step.step : pad(step.step, NAME_WIDTH);
  const head = `  ${spinner} ${name}`;
  if (textWidth(head) >= width) return truncate(head, width);
  const room = width - textWidth(head) - 2;
  const parts =
    step.transfer !== undefined
      ? moving(step.transfer, room)
      : step.total > 0
        ? progress(step, now, room)
        : waiting(step, now, room);
  const painted = parts.map(({ text, style }) => (style === undefined ? text : paint(style, text)));
  return [`  ${paint('cyan', spinner)} ${paint('bold', name)}`, ...painted].join('  ');
}

interface LinePart {
  readonly text: string;
  readonly style?: 'dim' | 'green' | 'cyan' | 'yellow';
}

function progress(step: RunningStep, now: number, room: number): LinePart[] {
  const parts = progressParts(step);
  const elapsed = formatDuration(Math.max(0, now - step.since));
  // in the order of the line; the part with the lowest rank gets a place first
  const candidates: (LinePart & { rank: number })[] = [
    // of calls, what they cost and how hard the teacher is used says more than a bar
    { rank: step.unit === 'calls' ? 7 : 3, text: '', style: 'green' },
    { rank: 0, text: parts.percent },
    { rank: 4, text: parts.count, style: 'dim' },
    { rank: 2, text: parts.loss },
    { rank: 5, text: step.losses.length < 3 ? '' : sparkline(step.losses, 8), style: 'cyan' },
    { rank: 6, text: parts.accuracy },
    { rank: 7, text: parts.mfu, style: 'dim' },
    { rank: 7, text: parts.calls, style: 'yellow' },
    { rank: 2, text: parts.cost },
    { rank: 4, text: parts.load, style: 'cyan' },
    { rank: 5, text: parts.busy, style: 'yellow' },
    // a user who sees nothing move wants to know the reason before all else
    { rank: 1, text: waits(parts, room - textWidth(parts.percent) - 2), style: 'yellow' },
    { rank: 8, text: parts.rate, style: 'dim' },
    { rank: 1, text: parts.eta === '' ? elapsed : parts.eta },
  ];
  let left = room;
  const chosen = new Set<LinePart>();
  for (const part of [...candidates].sort((a, b) => a.rank - b.rank)) {
    const isBar = part === candidates[0];
    const needed = isBar ? 8 : textWidth(part.text);
    const cost = needed + (chosen.size === 0 ? 0 : 2);
    if (needed === 0 || cost > left) continue;
    chosen.add(part);
    left -= cost;
  }
  const barWidth = 8 + Math.min(left, 12);
  return candidates
    .filter((part) => chosen.has(part))
    .map((part, index) =>
      index === 0 && part === candidates[0] ? { text: progressBar(step.done / step.total, barWidth), style: 'green' } : part,
    );
}

function moving(transfer: TransferEvent, room: number): LinePart[] {
  const { what, file, far, rate } = transferParts(transfer);
  const all = [[what, file, far, rate], [what, far, rate], [what, far], [far]].map((texts) => texts.join('  '));
  return [{ text: all.find((text) => textWidth(text) <= room) ?? truncate(far, room), style: 'cyan' }];
}

function waits(parts: ReturnType<typeof progressParts>, room: number): string {
  return textWidth(parts.waits) <= room ? parts.waits : truncate(parts.waitsInShort, Math.max(0, room));
}

function waiting(step: RunningStep, now: number, room: number): LinePart[] {
  const elapsed = formatDuration(Math.max(0, now - step.since));
  const note = truncate(oneLine(step.note ?? ''), room - elapsed.length - 2);
  const parts: LinePart[] = [{ text: elapsed.length <= room ? elapsed : '' }, { text: note, style: 'dim' }];
  return parts.filter(({ text }) => text !== '');
}

/** A sentence as lines that stay: each cut to the width, but for references, which stay whole. */
export function wordingLines(wording: Wording, options: { width: number; paint: Paint }): string[] {
  const { width, paint } = options;
  const mark = paint(MARK_STYLES[wording.mark], MARKS[wording.mark]);
  const more = wording.more.map((line) => (holdsId(line) ? `    ${line}` : paint('dim', truncate(`    ${line}`, width))));
  if (wording.step === undefined) {
    const stage = wording.stage ?? '';
    if (textWidth(stage) + 4 > width) return [truncate(`${MARKS[wording.mark]} ${stage}`, width), ...more];
    const title = stage === '' ? '' : `${paint('bold', stage)}  `;
    const [text = '', ...rest] = setText(wording, width - textWidth(stage) - (stage === '' ? 2 : 4));
    return [`${mark} ${title}${text}`.trimEnd(), ...rest.map((part) => `    ${part}`), ...more];
  }
  const name = width < 60 ? wording.step : pad(wording.step, NAME_WIDTH);
  const prefix = textWidth(name) + 6;
  if (prefix > width) return [truncate(`  ${MARKS[wording.mark]} ${name}`, width), ...more];
  const [text = '', ...rest] = setText(wording, width - prefix);
  const say = (part: string) =>
    wording.mark === 'info' && rest.length === 0 && wording.isWhole !== true ? paint('dim', part) : part;
  return [`  ${mark} ${name}  ${say(text)}`.trimEnd(), ...rest.map((part) => ' '.repeat(prefix) + say(part)), ...more];
}

/** The text of a sentence as lines: cut to one, unless too much would be lost with it. */
function setText({ text, isWhole = false }: Wording, width: number): string[] {
  if (textWidth(text) <= width) return [text];
  if (!holdsId(text) && (!isWhole || width < LEAST_WRAPPED)) return [truncate(text, width)];
  return wrap(text, Math.max(1, width)).map((line) => (holdsId(line) ? line : truncate(line, width)));
}
