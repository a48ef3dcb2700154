/** Parsers of option values that several verbs take. Commander shows the message with the option at fault. */
import { InvalidArgumentError } from 'commander';
import { isError } from '#errors/error.ts';
import { parseDuration, parseInstant } from '#model/duration.ts';

export function parseInteger(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= least && value <= most)) throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return value;
  };
}

/** `64`, `64KiB`, `5GiB` → bytes. */
export function parseSize(text: string): number {
  const match = /^(\d{1,15})\s*(B|KiB|MiB|GiB|TiB|kB|MB|GB|TB)?$/.exec(text);
  const units: Record<string, number> = {
    B: 1,
    KiB: 2 ** 10,
    MiB: 2 ** 20,
    GiB: 2 ** 30,
    TiB: 2 ** 40,
    kB: 1e3,
    MB: 1e6,
    GB: 1e9,
    TB: 1e12,
  };
  const bytes = match === null ? Number.NaN : Number(match[1]) * (units[match[2] ?? 'B'] as number);
  if (!Number.isSafeInteger(bytes)) throw new InvalidArgumentError('It must be a size such as 500kB, 64MiB or 5GiB.');
  return bytes;
}

/** An instant, or a duration from now (`30d`) → milliseconds since 1970. */
export function parseWhen(text: string): number {
  return explain(() => (/^\d+(ms|s|m|h|d)$/.test(text) ? Date.now() + parseDuration(text) : parseInstant(text)));
}

export function parseSeconds(text: string): number {
  return explain(() => Math.round((/^\d+$/.test(text) ? Number(text) * 1000 : parseDuration(text)) / 1000));
}

/** For an option that may be given several times. */
export function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

function explain<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (isError(error)) throw new InvalidArgumentError(`${error.message} ${error.help}`);
    throw error;
  }
}
