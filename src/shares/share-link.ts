/**
 * What stands in a link: `ID` or `ID~TICKET`. A ticket begins with the client it was given to, so that limits count for whoever
 * unlocked and not anew for each ticket; 128 random bits follow. Only its SHA-256 is kept.
 */
import { createHash, createHmac, type KeyObject } from 'node:crypto';
import { peerOf } from '#access/attempts.ts';
import type { MakeId } from '#model/clock.ts';

export interface ShareLink {
  readonly id: string;
  readonly ticket: string | undefined;
}

const clientLength = 16;

/** Undefined for what is no share id; ids are compared by case. A malformed ticket is one that opens nothing. */
export function parseShareLink(text: string): ShareLink | undefined {
  const match = /^([A-Za-z0-9_-]{16,64})(?:~([A-Za-z0-9_-]{0,128}))?$/.exec(text);
  return match === null ? undefined : { id: match[1] as string, ticket: match[2] };
}

export function makeTicket(client: string, makeId: MakeId): string {
  return `${client}${makeId()}`;
}

export function hashTicket(ticket: string): string {
  return createHash('sha256').update(ticket).digest('hex');
}

/** The client that a ticket was given to. */
export function clientOfTicket(ticket: string): string {
  return ticket.slice(0, clientLength);
}

/** A peer as a client of one share: a keyed hash of the IPv4 address or the IPv6 /64, not to be joined across shares. */
export function clientOfAddress(key: KeyObject, share: number, address: string): string {
  return createHmac('sha256', key)
    .update(`${share} ${peerOf(address)}`)
    .digest('base64url')
    .slice(0, clientLength);
}

/** A signed-in user, whichever session or token was presented. */
export function clientOfUser(id: string): string {
  return `user:${id}`;
}
