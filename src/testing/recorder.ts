/** Stands in for Events where a test looks at what was recorded, or does not care. */
export interface RecordedEvent {
  readonly action: string;
  readonly subject: string;
  readonly outcome?: string;
  readonly details?: Readonly<Record<string, string | number | boolean>>;
}

export function recorder(): { readonly events: RecordedEvent[]; record(event: RecordedEvent): void } {
  const events: RecordedEvent[] = [];
  return { events, record: (event) => void events.push(event) };
}
