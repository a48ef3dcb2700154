/** What changed between two versions as one sentence, in the language of the page. */
import { writeBytes } from '../../components/format.ts';
import type { Tally } from '../../queries/changes.ts';

/** A message with its count, in words. */
export type Say = (key: 'added' | 'removed' | 'changed' | 'moved' | 'nothing', count: number) => string;

/** `12 added, 3 changed, 1 moved; +4.2 GB`. Bytes are told only where there are more or fewer. */
export function writeTally(tally: Tally, say: Say, locale: string): string {
  const parts = (['added', 'removed', 'changed', 'moved'] as const).filter((key) => tally[key] > 0).map((key) => say(key, tally[key]));
  if (parts.length === 0) return say('nothing', 0);
  return tally.bytes === 0 ? parts.join(', ') : `${parts.join(', ')}; ${writeGrowth(tally.bytes, locale)}`;
}

/** `+4.2 GB`, `−12 B`. */
export function writeGrowth(bytes: number, locale: string): string {
  return `${bytes < 0 ? '−' : '+'}${writeBytes(Math.abs(bytes), locale)}`;
}

/** `+12`, `−3`. */
export function writeCountGrowth(count: number, locale: string): string {
  return `${count < 0 ? '−' : '+'}${Math.abs(count).toLocaleString(locale)}`;
}
