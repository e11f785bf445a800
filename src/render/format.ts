import type { ArtifactRef } from '../model/artifact.ts';
import { formatRef } from '../model/artifact.ts';

/** Seconds as `0.4 s`, `12 s`, `3m 05s`, `2h 04m`, `3d 04h`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return '-';
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (value: number) => String(value).padStart(2, '0');
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  return `${Math.floor(minutes / 1440)}d ${two(Math.floor((minutes % 1440) / 60))}h`;
}

/** Bytes in powers of 1024: `812 B`, `1.4 KiB`, `14 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1023.5 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Dollars: cents as a rule, more digits where less than a cent is at stake, none from a thousand on. */
export function formatDollars(dollars: number): string {
  if (dollars === 0) return '$0';
  if (Math.abs(dollars) >= 1000) return `$${Math.round(dollars).toLocaleString('en-US')}`;
  return `$${dollars.toFixed(Math.abs(dollars) < 0.01 ? 4 : 2)}`;
}

/** A measured number in at most six characters or so: `0.0000005` is `5.0e-7`, `41234.2` is `41,234`. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (Number.isInteger(value) || size >= 1000) return Math.round(value).toLocaleString('en-US');
  if (size < 0.001) return value.toExponential(1);
  return String(Number(value.toPrecision(4)));
}

/** A large count in at most five characters: `840`, `12.4k`, `548M`. */
export function formatCount(value: number): string {
  if (value < 999.5) return String(Math.round(value));
  const units = ['', 'k', 'M', 'G', 'T'];
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return `${Number(scaled.toPrecision(3))}${units[unit]}`;
}

export function formatPercent(part: number, whole: number): string {
  return whole <= 0 ? '-' : `${Math.floor((100 * Math.min(part, whole)) / whole)} %`;
}

/** A commit or fingerprint for the eye: its first seven digits. */
export function shortId(id: string): string {
  return id.slice(0, 7);
}

/** `org/name@1a2b3c4`, where the whole reference does not fit. */
export function shortRef(ref: ArtifactRef): string {
  return `${ref.name}@${shortId(ref.commit)}`;
}

/** The whole reference: the only form that another command takes. */
export const fullRef = (ref: ArtifactRef): string => formatRef(ref);
