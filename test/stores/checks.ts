/** All checks of the matrix, and the record of what each server was seen to do (docs/reference/stores.json). */
import { readFileSync, writeFileSync } from 'node:fs';
import type { StoreServer } from '../support/stores/store-server.ts';
import type { Check } from './check.ts';
import { listingChecks } from './matrix-listing.ts';
import { objectChecks } from './matrix-objects.ts';
import { signingChecks } from './matrix-signing.ts';

export const checks: readonly Check[] = [...signingChecks, ...objectChecks, ...listingChecks];

/** By check. */
type Seen = Readonly<Record<string, string>>;

const record = new URL('../../docs/reference/stores.json', import.meta.url);

export const readRecord = (): Record<StoreServer['name'], Seen> => JSON.parse(readFileSync(record, 'utf8'));

export function writeRecord(name: StoreServer['name'], seen: Seen): void {
  writeFileSync(record, `${JSON.stringify({ ...readRecord(), [name]: seen }, null, 2)}\n`);
}

export const isAsAmazon = ({ want }: Check, seen: string | undefined): boolean => seen !== undefined && [want].flat().includes(seen);
