/** Sizes, counts and dates as people read them, in the language of the page. */

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** Decimal units, as stores and disks are sold in: `6.5 MB`. */
export function writeBytes(bytes: number, locale: string): string {
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  const digits = power === 0 || value >= 99.95 ? 0 : 1;
  if (Number(value.toFixed(digits)) >= 1000 && power < units.length - 1) return writeBytes(1000 ** (power + 1), locale);
  return `${value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits })}\u00a0${units[power]}`;
}

/** The day; the time too where it is today. */
export function writeInstant(instant: string, locale: string, now: Date): string {
  const date = new Date(instant);
  if (date.toDateString() === now.toDateString()) return date.toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit' });
  return date.toLocaleDateString(locale, { year: 'numeric', month: 'short', day: 'numeric' });
}
