/** The form of a setting. Settings are data: flags, environment names, validation, `config cat` and the reference page come from them. */

interface Common {
  readonly description: string;
}

/** A text; `null` as default: not set. */
interface TextSetting extends Common {
  readonly type: 'text';
  readonly default: string | null;
  /** What is used where nothing is set, for people: it depends on the machine or on other settings. */
  readonly otherwise?: string;
  readonly values?: readonly string[];
}

interface FlagSetting extends Common {
  readonly type: 'flag';
  readonly default: boolean;
}

interface ListSetting extends Common {
  readonly type: 'list';
  readonly default: readonly string[];
}

/**
 * An integer with a unit. As text, durations take `ms`, `s`, `m`, `h`, `d` and sizes `B`, `KiB`, `MiB`, `GiB`; a bare number has the unit
 * of the setting. `max` is the hard ceiling.
 */
export interface NumberSetting extends Common {
  readonly type: 'number';
  readonly unit: 'count' | 'bytes' | 'milliseconds' | 'seconds' | 'days';
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** Not set by default: the default is for showing only. */
  readonly optional?: true;
}

/** Taken from the environment only: it belongs in no file and in no argument. */
interface SecretSetting extends Common {
  readonly type: 'secret';
  readonly default: null;
}

export type Setting = TextSetting | FlagSetting | ListSetting | NumberSetting | SecretSetting;
