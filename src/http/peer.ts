/**
 * Who is at the other end of the connection. This is the only place that reads forwarding headers, and only from configured proxies;
 * from anyone else they are as if they were not there.
 */
import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import { PackageRError } from '#errors/error.ts';

type Network = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

export interface Peer {
  /** What limits count by: the IPv4 address, or the /64 of an IPv6 one. */
  readonly key: string;
  /** The full address, for events. */
  readonly address: string;
}

const keptPeers = 10_000;

export class Peers {
  readonly #trusted: readonly Network[];
  /** By address of the connection, those that are no trusted proxy. */
  readonly #direct = new Map<string, Peer>();

  /** Addresses or networks in CIDR form. Errors: config_invalid. */
  constructor(trustedProxies: readonly string[]) {
    this.#trusted = parseNetworks(trustedProxies, 'trustedProxies');
  }

  /** The connection's address, or the rightmost hop that is no trusted proxy. */
  peerOf(request: IncomingMessage): Peer {
    const { remoteAddress = '' } = request.socket;
    const known = this.#direct.get(remoteAddress);
    if (known !== undefined) return known;
    const connected = normalise(remoteAddress);
    if (connected === undefined) return { key: 'local', address: 'local' };
    if (!isIn(connected, this.#trusted)) {
      if (this.#direct.size >= keptPeers) this.#direct.clear();
      const peer = toPeer(connected);
      this.#direct.set(remoteAddress, peer);
      return peer;
    }
    const hops = String(request.headers['x-forwarded-for'] ?? '').split(',');
    let last = connected;
    for (const hop of hops.reverse()) {
      const address = normalise(hop.trim());
      if (address === undefined) break;
      last = address;
      if (!isIn(address, this.#trusted)) break;
    }
    return toPeer(last);
  }
}

/** Errors: config_invalid, naming the setting. */
export function parseNetworks(texts: readonly string[], setting: string): readonly Network[] {
  return texts.map((text) => {
    const whole = text.includes('/') ? text : `${text}/${ipaddr.IPv6.isValid(text) ? 128 : 32}`;
    if (!ipaddr.isValidCIDR(whole))
      throw new PackageRError('config_invalid', `${JSON.stringify(text)} in “${setting}” is no address or network.`);
    return ipaddr.parseCIDR(whole);
  });
}

/** True where the address of the peer lies in one of the networks. */
export function isPeerIn(peer: Peer, networks: readonly Network[]): boolean {
  const address = normalise(peer.address);
  return address !== undefined && isIn(address, networks);
}

function normalise(text: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined {
  const bare = text.replace(/%.*$/, '').replace(/^\[(.*)\]$/, '$1');
  return ipaddr.IPv4.isValidFourPartDecimal(bare) || ipaddr.IPv6.isValid(bare) ? ipaddr.process(bare) : undefined;
}

function isIn(address: ipaddr.IPv4 | ipaddr.IPv6, networks: readonly Network[]): boolean {
  return networks.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));
}

function toPeer(address: ipaddr.IPv4 | ipaddr.IPv6): Peer {
  const key =
    address instanceof ipaddr.IPv6
      ? `${address.parts
          .slice(0, 4)
          .map((part) => part.toString(16))
          .join(':')}::/64`
      : address.toString();
  return { key, address: address.toString() };
}
