/** Durations and instants as people write them. */
import { PackageRError } from '#errors/error.ts';

const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `30s`, `15m`, `12h`, `7d`, `250ms` → milliseconds. Errors: duration_invalid. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,12})(ms|s|m|h|d)$/.exec(text.trim());
  if (match === null) throw new PackageRError('duration_invalid', `${JSON.stringify(text.slice(0, 40))} is not a duration.`);
  return Number(match[1]) * units[match[2] as keyof typeof units];
}

/** The shortest exact spelling: 90000 → `90s`, 3600000 → `1h`. */
export function writeDuration(milliseconds: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (milliseconds !== 0 && milliseconds % units[unit] === 0) return `${milliseconds / units[unit]}${unit}`;
  }
  return `${milliseconds}ms`;
}

/** `2026-11-23`, or with a time and an offset → milliseconds since 1970. Errors: instant_invalid. */
export function parseInstant(text: string): number {
  const form = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/;
  const milliseconds = form.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(milliseconds) || new Date(text.slice(0, 10)).toISOString().slice(0, 10) !== text.slice(0, 10)) {
    throw new PackageRError('instant_invalid', `${JSON.stringify(text.slice(0, 40))} is not an instant.`);
  }
  return milliseconds;
}
