/** What a verb is given: the terminal, the chosen output, and the ways to reach packageR. Made by `main.ts`, or by a test. */
import type { Client } from '#client/client.ts';
import type { LoadedConfig } from '#config/config.ts';
import type { Secret } from '#model/secret.ts';
import type { Terminal } from './terminal.ts';

export interface CliContext {
  readonly terminal: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ctrl-C, or the end of the test. */
  readonly signal: AbortSignal;
  readonly isJson: boolean;
  readonly isQuiet: boolean;
  /** To stdout; the text must be printable already. */
  print(text: string): void;
  /** One JSON value on a line of its own, to stdout. */
  json(value: unknown): void;
  /** The verb did its work but not all of it went well: exit 1, with a sentence on stderr. */
  fail(message: string): void;
  /** The one client of this run: to the chosen server, to the running one of the data folder, or in process. Closed at the end. */
  client(): Promise<Client>;
  /** `flags` by key of a setting. */
  loadConfig(flags?: Readonly<Record<string, unknown>>): Promise<LoadedConfig>;
  /** Runs a server until the signal; resolves when it has stopped. `onReady` runs once it accepts connections. */
  serve(config: LoadedConfig, onReady: (server: RunningServer) => Promise<void>): Promise<void>;
}

export interface RunningServer {
  readonly url: string;
  /** As the local administrator. */
  readonly client: Client;
  /** Shown once, at the first start. */
  readonly admin: { readonly name: string; readonly password: Secret } | undefined;
  /** Bytes of objects that it sent itself so far, also after it has stopped: those of folder sources. */
  objectBytes(): number;
}
