/**
 * Real components that a test needs: a program, a server. One that is missing is skipped loudly, with the line that installs it,
 * and is a failure where CI=true.
 */
import { accessSync, constants, writeSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Component {
  /** The program that must be on the PATH. */
  readonly command: string;
  /** The line that installs it. */
  readonly install: string;
}

/** True where the command is there. Else prints one line `SKIPPED <name> … install: <line>` and is false; throws where CI=true. */
export function requireComponent(name: string, { command, install }: Component): boolean {
  if (commandPath(command) !== undefined) return true;
  const line = `SKIPPED ${name} (${command} is missing) … install: ${install}`;
  if (process.env['CI'] === 'true') throw new Error(line);
  writeSync(2, `${line}\n`);
  return false;
}

/** Where a program is, by its name or its path; undefined where it is not. */
export function commandPath(command: string): string | undefined {
  const folders = command.includes('/') ? [''] : (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders
    .map((folder) => join(folder, command))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return command !== '';
      } catch {
        return false;
      }
    });
}

/** Those that several tests ask for. */
export const components = {
  python: { command: 'python3', install: 'apt-get install python3' },
  curl: { command: 'curl', install: 'apt-get install curl' },
  wget: { command: 'wget', install: 'apt-get install wget' },
  aria2: { command: 'aria2c', install: 'apt-get install aria2' },
  rclone: { command: 'rclone', install: 'apt-get install rclone' },
  unzip: { command: 'unzip', install: 'apt-get install unzip' },
  sha256sum: { command: 'sha256sum', install: 'apt-get install coreutils' },
} as const satisfies Record<string, Component>;
