import { basename } from 'node:path';
import type { CallsProgress, RunEvent, TeacherProgress } from '../model/event.ts';
import type { JobEvent } from '../model/job.ts';
import type { Failure } from '../model/outcome.ts';
import {
  formatBytes,
  formatCount,
  formatDollars,
  formatDuration,
  formatNumber,
  formatPercent,
  fullRef,
  shortId,
  shortRef,
} from './format.ts';
import type { RunningStep, TransferEvent } from './running-steps.ts';
import { sparkline } from './sparkline.ts';
import { oneLine } from './text-width.ts';

/** An event in words, without colour: terminal and plain log set the same sentences differently. */
export interface Wording {
  readonly mark: 'start' | 'ok' | 'info' | 'warning' | 'failed';
  readonly stage: string | undefined;
  readonly step: string | undefined;
  /** one line */
  readonly text: string;
  /** too much would be lost if it were cut to one line of a terminal */
  readonly isWhole?: boolean;
  /** further lines; references stand here, whole, to be copied */
  readonly more: readonly string[];
}

/**
 * What to say of an event; `running` is the step before the event, see `RunningSteps.about`. Progress has no sentence: it is
 * shown as a state.
 */
export function wordingOf(event: RunEvent, running: RunningStep | undefined): Wording | undefined {
  const say = (mark: Wording['mark'], text: string, more: readonly string[] = []): Wording => ({
    mark,
    stage: 'stage' in event ? event.stage : undefined,
    step: 'step' in event ? event.step : undefined,
    text: oneLine(text),
    more: more.map(oneLine),
  });
  switch (event.type) {
    case 'session-started':
      return say('start', `zephyr ${event.zephyr} works on ${event.run}: process ${event.pid} on ${event.host}`);
    case 'session-ended':
      return { ...say(event.exit === 'detached' ? 'info' : 'failed', event.message), isWhole: true };
    case 'stage-started':
      return say('start', `${event.resumed ? 'resumed' : 'started'} ${event.run}`);
    case 'step-started':
      return say('start', `started (${shortId(event.fingerprint)})`);
    case 'step-reused':
      return say('ok', `reused ${shortRef(event.artifact)} · same fingerprint ${shortId(event.fingerprint)}`);
    case 'job-submitted': {
      const from = event.resumedFromStep === undefined ? '' : `, goes on after step ${formatNumber(event.resumedFromStep)}`;
      return say('info', `runs as ${event.handle.backend} ${event.handle.id.slice(0, 24)}${from}`);
    }
    case 'job-adopted':
      return say('info', `already runs as ${event.handle.backend} ${event.handle.id.slice(0, 24)}; following it`);
    case 'job-state':
      return say('info', `${event.state}${event.why === null ? '' : `: ${event.why}`}`);
    case 'job':
      return jobWording(event.event, say);
    case 'checkpoint':
      return say('info', `checkpoint at step ${formatNumber(event.at)}`);
    case 'transfer':
    case 'calls':
      return undefined;
    case 'note':
      return { ...say('info', event.message), ...(event.lasting === true ? { isWhole: true } : {}) };
    case 'environment':
      return { ...say('info', `Python environment "${event.environment}": ${event.message}`), isWhole: true };
    case 'warning':
      return say('warning', event.message);
    case 'step-done': {
      const [first, ...rest] = figures(event.metrics, running);
      const parts = [`done in ${formatDuration(event.seconds)}`, first ?? '', shortRef(event.artifact), ...rest];
      return say('ok', parts.filter((part) => part !== '').join(' · '));
    }
    case 'stage-done':
      return say('ok', event.reused ? 'unchanged, reused' : `done in ${formatDuration(event.seconds)}${spentOn(running)}`, [
        fullRef(event.artifact),
      ]);
    case 'stage-failed':
      return say('failed', failureText(event.failure), failureDetails(event.failure, event.run));
  }
}

function jobWording(event: JobEvent, say: (mark: Wording['mark'], text: string) => Wording): Wording | undefined {
  if (event.type === 'boot') {
    const versions = Object.entries(event.versions)
      .slice(0, 4)
      .map(([name, version]) => `${name} ${version}`);
    return say('info', `${event.program} is up${versions.length === 0 ? '' : `: ${versions.join(', ')}`}`);
  }
  if (event.type === 'data') return say('info', `${formatNumber(event.rows)} rows`);
  if (event.type === 'note') return say('info', event.message);
  if (event.type === 'dropped') return { ...say('warning', leftOut(event)), isWhole: true };
  if (event.type === 'error') return say('warning', `the job says (${event.code}): ${event.message}`);
  return undefined;
}

function leftOut({ input, split, read, reasons }: Extract<JobEvent, { type: 'dropped' }>): string {
  const lost = Object.values(reasons).reduce((sum, count) => sum + count, 0);
  const why = Object.entries(reasons).map(([reason, count]) => `${formatNumber(count)} ${reason}`);
  // the reasons come in the words of `Dropped`
  return `${formatNumber(lost)} of ${formatNumber(read)} rows of split "${split}" of ${input} cannot be used and are left out: ${why.join(', ')}`;
}

/** At most three figures of a step: its loss as a curve where there was one, then its own metrics. */
function figures(metrics: Readonly<Record<string, unknown>>, running: RunningStep | undefined): string[] {
  const losses = running?.losses ?? [];
  const first = losses[0];
  const last = losses.at(-1);
  const curve =
    first === undefined || last === undefined || losses.length < 3
      ? []
      : [`loss ${formatNumber(first)} → ${formatNumber(last)} ${sparkline(losses, 12)}`];
  const cost =
    running?.calls === undefined ? [] : [`${formatNumber(running.calls.done)} calls ${formatDollars(running.calls.costUsd)}`];
  const numbers = Object.entries(metrics).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
  const rest = numbers.map(([name, value]) => `${name.replaceAll('_', ' ')} ${formatNumber(value)}`);
  return [...curve, ...cost, ...rest].slice(0, 3);
}

function failureText(failure: Failure): string {
  const code = failure.reason === 'job-failed' ? ` with exit code ${failure.code}` : '';
  return `${failure.reason.replaceAll('-', ' ')}${code}: ${failure.message}`;
}

function failureDetails(failure: Failure, run: string): string[] {
  const tail = failure.reason === 'job-failed' ? failure.logTail.slice(-8).map((line) => `| ${line}`) : [];
  return [...tail, `run ${run}`];
}

/** `62 %  124/200  loss 1.23  3.1/s  ETA 25 s`, as parts: the renderers pick what fits. */
export function progressParts(
  step: RunningStep,
): Record<
  | 'percent'
  | 'count'
  | 'loss'
  | 'accuracy'
  | 'mfu'
  | 'calls'
  | 'cost'
  | 'load'
  | 'busy'
  | 'waits'
  | 'waitsInShort'
  | 'rate'
  | 'eta',
  string
> {
  const last = step.losses.at(-1);
  return {
    ...callParts(step.calls),
    percent: step.total > 0 ? formatPercent(step.done, step.total) : '',
    count: countOf(step),
    loss: last === undefined ? '' : `loss ${formatNumber(last)}`,
    mfu: step.mfu === undefined ? '' : `MFU ${formatPercent(step.mfu, 1)}`,
    accuracy: step.accuracy === undefined ? '' : `acc ${formatNumber(step.accuracy)}`,
    rate: step.rate === undefined ? '' : pace(step.rate),
    eta: eta(step),
  };
}

function callParts(calls: CallsProgress | undefined) {
  if (calls === undefined) return { calls: '', cost: '', load: '', busy: '', waits: '', waitsInShort: '' };
  const { replayed, failed, teachers } = calls;
  const counts = [replayed > 0 ? `${formatNumber(replayed)} replayed` : '', failed > 0 ? `${formatNumber(failed)} failed` : ''];
  return {
    calls: counts.filter((count) => count !== '').join('  '),
    cost: spending(calls),
    load: load(teachers),
    busy: busy(teachers),
    waits: waitsFor(teachers, true),
    waitsInShort: waitsFor(teachers, false),
  };
}

function pace(rate: number): string {
  return rate >= 1 ? `${formatNumber(Number(rate.toPrecision(2)))}/s` : `${formatDuration(1 / rate)} each`;
}

/** `uploading checkpoint model.safetensors  45 %  1.2 GiB of 3.0 GiB  80 MiB/s  ETA 22 s`, as parts. */
export function transferParts({
  direction,
  what,
  progress,
  bytesPerSecond,
}: TransferEvent): Record<'what' | 'file' | 'far' | 'rate', string> {
  const { done, total, file } = progress;
  const left = bytesPerSecond <= 0 ? '' : `  ETA ${formatDuration((total - done) / bytesPerSecond)}`;
  return {
    what: `${direction === 'upload' ? 'uploading' : 'downloading'} ${what}`,
    file: basename(file),
    far: `${formatPercent(done, total)}  ${formatBytes(done)} of ${formatBytes(total)}`,
    rate: `${formatBytes(bytesPerSecond)}/s${done < total ? left : ''}`,
  };
}

/** The count of a step. A step that has its own answers may still wait for the calls that it makes for the next one. */
function countOf({ done, total, unit, calls }: RunningStep): string {
  if (total <= 0) return '';
  const count = `${formatNumber(done)}/${formatNumber(total)}${unit === 'calls' ? ' calls' : ''}`;
  return done >= total && calls !== undefined && calls.ahead > 0 ? `${count}, ${formatNumber(calls.ahead)} ahead` : count;
}

function eta({ done, total, rate, calls }: RunningStep): string {
  // all answers are in: what is left is to make files of them, and calls for the next step that are on their way
  if (done >= total) return calls === undefined ? '' : calls.teachers.some(({ inFlight }) => inFlight > 0) ? '' : 'writing';
  const seconds = calls?.etaSeconds ?? (rate === undefined ? undefined : (total - done) / rate);
  return seconds === undefined ? '' : `ETA ${formatDuration(seconds)}`;
}

/** `waiting for judge at http://...: connection refused, 40 s`: of all teachers that are waited for, the one for longest. */
function waitsFor(teachers: readonly TeacherProgress[], isWhole: boolean): string {
  const waits = teachers.flatMap(({ id, waitsFor: wait }) => (wait === undefined ? [] : [{ id, ...wait }]));
  const [longest] = waits.toSorted((a, b) => b.seconds - a.seconds);
  if (longest === undefined) return '';
  const { id, server, why, seconds } = longest;
  return `waiting for ${id}${isWhole ? ` at ${server}` : ''}: ${whyInWords(why)}, ${formatDuration(seconds)}`;
}

/** What users know under another name than the system's. */
const WHY: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, 'connection refused'],
  [/ENOTFOUND|EAI_AGAIN/, 'no such host'],
  [/EHOSTUNREACH|ENETUNREACH/, 'no way to the host'],
  [/ECONNRESET|other side closed|socket hang up|UND_ERR_SOCKET/, 'connection broken'],
  [/CONNECT_TIMEOUT|ETIMEDOUT/, 'no connection in time'],
];
const LONGEST_WHY = 60;

function whyInWords(why: string): string {
  const found = WHY.find(([sign]) => sign.test(why))?.[1] ?? why;
  return found.length <= LONGEST_WHY ? found : `${found.slice(0, LONGEST_WHY - 1)}…`;
}

/** What a stage has spent on teachers in all its sessions, and of what. */
function spentOn(last: RunningStep | undefined): string {
  if (last?.calls === undefined) return '';
  const { spentUsd, capUsd } = last.calls;
  return ` · spent ${formatDollars(spentUsd)}${capUsd === null ? '' : ` of ${formatDollars(capUsd)}`}`;
}

/** What the step's calls cost; with a cap, what the stage has spent of it. */
function spending({ costUsd, spentUsd, capUsd }: CallsProgress): string {
  return capUsd === null ? formatDollars(costUsd) : `${formatDollars(spentUsd)}/${formatDollars(capUsd)}`;
}

/** `9.8k/10k rpm`: the limit, of all teachers, that is used most; without limits the calls in flight. */
function load(teachers: readonly TeacherProgress[]): string {
  const uses = teachers
    .flatMap(({ requestsPerMinute, requestLimit, tokensPerMinute, tokenLimit }) => [
      { used: requestsPerMinute, limit: requestLimit, unit: 'rpm' },
      { used: tokensPerMinute, limit: tokenLimit, unit: 'tpm' },
    ])
    .flatMap(({ used, limit, unit }) => (limit === null || limit <= 0 ? [] : [{ used, limit, unit }]))
    .toSorted((a, b) => b.used / b.limit - a.used / a.limit);
  const batches = teachers.reduce((sum, teacher) => sum + teacher.batches, 0);
  const waiting = batches === 0 ? '' : `${batches} ${batches === 1 ? 'batch' : 'batches'}`;
  const [most] = uses;
  if (most !== undefined) return [`${formatCount(most.used)}/${formatCount(most.limit)} ${most.unit}`, waiting].join('  ').trim();
  const inFlight = teachers.reduce((sum, teacher) => sum + teacher.inFlight, 0);
  return waiting === '' && inFlight > 0 ? `${formatNumber(inFlight)} in flight` : waiting;
}

/** Part of the requests that were answered "too many", where it is one in a thousand or more. */
function busy(teachers: readonly TeacherProgress[]): string {
  const most = Math.max(0, ...teachers.map((teacher) => teacher.busy));
  return most < 0.001 ? '' : `429 ${(100 * most).toFixed(1)} %`;
}
