import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { Peers } from './peer.ts';

const from = (remoteAddress: string | undefined, forwarded?: string): IncomingMessage =>
  ({ socket: { remoteAddress }, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } }) as unknown as IncomingMessage;

describe('Peers', () => {
  it('ignores the header of a stranger', () => {
    expect(new Peers([]).peerOf(from('203.0.113.9', '10.0.0.1')).key).toBe('203.0.113.9');
    expect(new Peers(['10.0.0.0/8']).peerOf(from('203.0.113.9', '198.51.100.1')).key).toBe('203.0.113.9');
  });

  it('takes the rightmost hop that is no trusted proxy', () => {
    const peers = new Peers(['10.0.0.0/8']);
    expect(peers.peerOf(from('10.0.0.1', '1.1.1.1, 198.51.100.7, 10.0.0.2')).key).toBe('198.51.100.7');
    expect(peers.peerOf(from('10.0.0.1', 'nonsense')).key).toBe('10.0.0.1');
    expect(peers.peerOf(from('::ffff:10.0.0.1', '198.51.100.7')).key).toBe('198.51.100.7');
  });

  it('counts IPv6 by its /64 and mapped IPv4 as IPv4', () => {
    const peers = new Peers([]);
    expect(peers.peerOf(from('2001:db8:1:2:3:4:5:6')).key).toBe(peers.peerOf(from('2001:db8:1:2::1')).key);
    expect(peers.peerOf(from('2001:db8:1:3::1')).key).not.toBe(peers.peerOf(from('2001:db8:1:2::1')).key);
    expect(peers.peerOf(from('::ffff:203.0.113.9')).key).toBe('203.0.113.9');
  });

  it('refuses what is no network', () => {
    expect(() => new Peers(['10.0.0.0/99'])).toThrow('trustedProxies');
  });
});
