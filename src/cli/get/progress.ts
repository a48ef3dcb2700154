/** Progress of a download: a bar on a terminal, nothing elsewhere. */
import { printable, type Terminal, writeSize } from '#cli/terminal.ts';

export interface Totals {
  files: number;
  bytes: number;
  doneFiles: number;
  doneBytes: number;
  /** Bytes that came over the network in this run: what the speed is reckoned from. */
  received: number;
  failed: number;
}

const barWidth = 24;

export class Progress {
  readonly totals: Totals = { files: 0, bytes: 0, doneFiles: 0, doneBytes: 0, received: 0, failed: 0 };
  readonly #terminal: Terminal;
  readonly #now: () => number;
  readonly #startedAt: number;
  readonly #timer: NodeJS.Timeout | undefined;

  /** `quiet`, or no terminal: draws nothing but still counts. */
  constructor(terminal: Terminal, options: { readonly quiet: boolean; readonly now?: () => number }) {
    this.#terminal = terminal;
    this.#now = options.now ?? Date.now;
    this.#startedAt = this.#now();
    if (!options.quiet && terminal.stderr.isTTY === true) this.#timer = setInterval(() => this.#draw(), 200).unref();
  }

  /** `140 of 2012 files  1.2 GiB of 5.0 GiB  80 MiB/s  48 s left` */
  line(): string {
    const { files, bytes, doneFiles, doneBytes, received, failed } = this.totals;
    const seconds = Math.max(0.001, (this.#now() - this.#startedAt) / 1000);
    const speed = received / seconds;
    const left = speed > 0 && bytes > doneBytes ? `  ${writeSeconds((bytes - doneBytes) / speed)} left` : '';
    const failures = failed > 0 ? `  ${failed} failed` : '';
    return `${doneFiles} of ${files} files  ${writeSize(doneBytes)} of ${writeSize(bytes)}  ${writeSize(speed)}/s${left}${failures}`;
  }

  /** A line that stays, above the moving one. */
  say(text: string): void {
    if (this.#timer !== undefined) this.#terminal.stderr.write(`\r\u001b[K${printable(text)}\n`);
  }

  close(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#terminal.stderr.write('\r\u001b[K');
  }

  #draw(): void {
    const { bytes, doneBytes } = this.totals;
    const filled = bytes === 0 ? 0 : Math.min(barWidth, Math.round((doneBytes / bytes) * barWidth));
    const bar = `${'█'.repeat(filled)}${'░'.repeat(barWidth - filled)}`;
    this.#terminal.stderr.write(`\r\u001b[K${`${bar} ${this.line()}`.slice(0, (this.#terminal.stderr.columns ?? 80) - 1)}`);
  }
}

function writeSeconds(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  if (seconds < 3600) return `${Math.ceil(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
