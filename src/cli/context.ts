/** What a verb is given: the terminal, the chosen output, and the ways to reach packageR. Made by `main.ts`, or by a test. */
import type { VerifyLine } from '#api/system.ts';
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
  /** Copies a state that no server uses to another engine. */
  copyState(config: LoadedConfig, request: Omit<CopyStateRequest, 'signal' | 'cwd'>): Promise<CopiedState>;
  /** Restores the data folder from a backup; nothing is changed before the backup was verified. */
  restore(file: string, onLine: (line: VerifyLine) => void): Promise<RestoreDone>;
  /** Verifies a backup where it lies. */
  verifyFile(file: string): AsyncIterable<VerifyLine>;
}

/** `from` and `to`: `sqlite`, `postgres` (of the setting), a file, or a URL without a password. */
export interface CopyStateRequest {
  readonly from: string;
  readonly to: string;
  readonly cwd: string;
  readonly signal: AbortSignal;
  onProgress?(table: string, rows: number): void;
  onVersion?(done: number, total: number): void;
}

export interface CopiedState {
  readonly tables: readonly { readonly table: string; readonly rows: number; readonly sha256: string }[];
  /** Versions whose digests were recomputed from the copy. */
  readonly versions: number;
  /** Of all rows: the same for the same state, whatever the engine. */
  readonly digest: string;
}

export interface RestoreRequest {
  readonly file: string;
  /** As it was given: it may be the name of a backup in the data folder. */
  readonly name: string;
  readonly signal: AbortSignal;
  readonly onLine: (line: VerifyLine) => void;
}

export interface RestoreDone {
  readonly path: string;
  /** Folder that holds the state that was there before. */
  readonly replaced?: string;
  readonly packages: number;
  readonly versions: number;
  /** A sentence on whether sealed credentials can be opened here. */
  readonly key: string;
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
