/**
 * Which addresses may be dialled. Public ones may, unless the list is made exclusive; private, loopback, unique-local and shared
 * ones only where the list names the host or the address; link-local and metadata addresses only where it names the address.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { PackageRError } from '#errors/error.ts';

interface Rule {
  readonly host?: string;
  /** `.example.com`: whole labels below it. */
  readonly below?: string;
  readonly network?: readonly [ipaddr.IPv4 | ipaddr.IPv6, number];
  readonly port: number | undefined;
}

/** Metadata services outside of the link-local range: Azure, Alibaba, Oracle, AWS. */
const metadata = new Set(['168.63.129.16', '100.100.100.200', '192.0.0.192', 'fd00:ec2::254']);

const reachableByName = new Set(['unicast', 'private', 'loopback', 'uniqueLocal', 'carrierGradeNat']);

export class EndpointList {
  readonly #rules: readonly Rule[];
  readonly #exclusive: boolean;

  /** `allow`: `host`, `*.example.com`, an address, a CIDR, each with `:port` if wanted. Errors: config_invalid. */
  constructor(allow: readonly string[], exclusive = false) {
    this.#rules = allow.map(parseRule);
    this.#exclusive = exclusive;
  }

  /** Whether a connection for `host` may go to `address`. */
  allows(host: string, address: string, port: number): boolean {
    if (!ipaddr.isValid(address)) return false;
    const dialled = ipaddr.process(address);
    const rules = this.#rules.filter((rule) => rule.port === undefined || rule.port === port);
    if (rules.some((rule) => rule.network !== undefined && isIn(dialled, rule.network))) return true;
    const range = rangeOf(dialled);
    if (rules.some((rule) => matchesName(rule, host))) return reachableByName.has(range);
    return !this.#exclusive && range === 'unicast';
  }

  /** The error for a connection that is not allowed: it names what an administrator can add, exactly. */
  refusal(host: string, address: string, port: number): PackageRError {
    const rule = ruleFor(host, address, port);
    const shown = JSON.stringify(host.slice(0, 255));
    const where = this.#exclusive ? 'is not listed' : isIP(host) === 0 ? 'leads to a private address' : 'is a private address';
    const message = `${shown} ${where}, and such are not called unasked. If it is a store of yours, an administrator can add ${rule} to the setting endpoints.allow.`;
    const context = { host, setting: 'endpoints.allow', add: rule };
    return new PackageRError('endpoint_refused', message, { operation: 'connector.request', context });
  }
}

/** The least that allows it: the name where a name does, else the address; with the port where it is not an ordinary one. */
function ruleFor(host: string, address: string, port: number): string {
  const byName = isIP(host) === 0 && ipaddr.isValid(address) && reachableByName.has(rangeOf(ipaddr.process(address)));
  const place = byName ? host : ipaddr.isValid(address) ? ipaddr.process(address).toString() : address;
  if (port === 443 || port === 80) return place;
  return place.includes(':') ? `[${place}]:${port}` : `${place}:${port}`;
}

/** Only 2000::/3 is public in IPv6: what else a library calls ordinary (`::127.0.0.1`) is reserved. */
function rangeOf(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  if (metadata.has(address.toString())) return 'metadata';
  const range = address.range();
  const isGlobal = address instanceof ipaddr.IPv4 || address.match(ipaddr.IPv6.parse('2000::'), 3);
  return range === 'unicast' && !isGlobal ? 'reserved' : range;
}

/** The host of a URL as it is compared: lower case, no brackets, no dot at the end. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
}

function matchesName(rule: Rule, host: string): boolean {
  if (rule.host !== undefined) return host === rule.host;
  return rule.below !== undefined && host.endsWith(rule.below) && host.length > rule.below.length;
}

function isIn(address: ipaddr.IPv4 | ipaddr.IPv6, [network, bits]: readonly [ipaddr.IPv4 | ipaddr.IPv6, number]): boolean {
  if (address instanceof ipaddr.IPv4) return network instanceof ipaddr.IPv4 && address.match(network, bits);
  return network instanceof ipaddr.IPv6 && address.match(network, bits);
}

function parseRule(text: string): Rule {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^[\]:]+)|([0-9a-fA-F:.]+(?:\/\d{1,3})?))(?::(\d{1,5}))?$/.exec(text.trim());
  const place = (match?.[1] ?? match?.[2] ?? match?.[3] ?? '').toLowerCase().replace(/\.$/, '');
  const isBareV6 = text.includes('::') && !text.startsWith('[');
  const port = match?.[4] === undefined || isBareV6 ? undefined : Number(match[4]);
  const whole = isBareV6 ? text.trim().toLowerCase() : place;
  if (ipaddr.isValidCIDR(whole)) return { network: ipaddr.parseCIDR(whole), port };
  if (isIP(whole) !== 0) {
    const address = ipaddr.process(whole);
    return { network: [address, address instanceof ipaddr.IPv4 ? 32 : 128], port };
  }
  const label = '[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?';
  if (!new RegExp(`^(\\*\\.)?${label}(\\.${label})*$`).test(whole) || /^[\d.]+$/.test(whole) || (port !== undefined && port > 65_535)) {
    throw new PackageRError(
      'config_invalid',
      `endpoints.allow: ${JSON.stringify(text.slice(0, 120))} is no host, “*.host”, address or CIDR.`,
    );
  }
  return whole.startsWith('*.') ? { below: whole.slice(1), port } : { host: whole, port };
}
