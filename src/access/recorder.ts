/** What access says of itself to the events, which it may not import. `Events` of the folder events is one. */
import type { ErrorCode } from '#errors/table.ts';
import type { Actor } from '#model/actor.ts';

export interface Recorder {
  /** Never throws. `details` holds no secret. */
  record(event: {
    readonly actor: Actor;
    readonly action: string;
    readonly subject: string;
    readonly outcome?: 'ok' | ErrorCode;
    readonly details?: Readonly<Record<string, string | number | boolean>>;
  }): void;
}
