/** What no single setting can tell: combinations that would be unsafe to start with are refused, doubtful ones warned of. */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Config, SettingKey } from '#config/settings.ts';
import { PackageRError } from '#errors/error.ts';

/** Settings that do not go together, and a sentence on why. */
export interface Disagreement {
  readonly keys: readonly SettingKey[];
  readonly message: string;
}

/** Pairs of which the first may not be larger than the second. */
const pairs: readonly (readonly [SettingKey, SettingKey])[] = [
  ['exchange.defaultSeconds', 'exchange.maxSeconds'],
  ['exchange.floorSeconds', 'exchange.defaultSeconds'],
  ['share.defaultDays', 'share.maxDays'],
  ['tokens.defaultDays', 'tokens.maxDays'],
  ['sessions.idle', 'sessions.life'],
  ['sessions.adminIdle', 'sessions.adminLife'],
];

/** Each of the settings is right, and together they are not. */
export function findDisagreements(read: (key: SettingKey) => unknown): Disagreement[] {
  return pairs.flatMap(([low, high]) => {
    const [less, more] = [Number(read(low)), Number(read(high))];
    return less > more ? [{ keys: [low, high], message: `${low} (${less}) is larger than ${high} (${more}).` }] : [];
  });
}

/** Gives the warnings. Errors: config_invalid. */
export function checkConfig(config: Config, isDefaultPublicUrl: boolean): string[] {
  const publicUrl = checkUrl('publicUrl', config.publicUrl);
  checkContent(config, publicUrl);
  checkState(config.state);
  checkProxies(config.trustedProxies);
  checkExtensions(config.inline.extensions);
  checkHost('host', config.host);
  checkHost('content.host', config.content.host);
  return warningsOf(config, publicUrl, isDefaultPublicUrl);
}

function warningsOf(config: Config, publicUrl: URL, isDefault: boolean): string[] {
  const warnings: string[] = [];
  const isOpen = !isLoopback(config.host);
  if (isOpen && isDefault) warnings.push(`packageR listens on ${config.host}, but publicUrl is not set: links work on this machine only.`);
  if (publicUrl.protocol === 'http:' && !isLoopback(publicUrl.hostname))
    warnings.push('publicUrl is plain http: passwords, tickets and temporary URLs can be read on the way. Use https.');
  return warnings;
}

function checkUrl(key: string, text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw refused(`${key} is not an absolute http or https URL.`);
  if (url.username !== '' || url.password !== '') throw refused(`${key} holds a user name or a password.`);
  if (url.search !== '' || url.hash !== '' || /[?#]/.test(text)) throw refused(`${key} has a query or a fragment.`);
  if (/[\s\\]|%|\/\.{1,2}(\/|$)|[^:]\/\//.test(text.replace(/^https?:\/\//, '')) || url.pathname.includes('//'))
    throw refused(`${key} is not in plain form.`);
  return url;
}

/** Bytes of users must come from another origin than the pages, where they have a listener of their own. */
function checkContent({ content, host, port }: Config, publicUrl: URL): void {
  if (content.port === undefined) {
    if (content.url !== undefined) throw refused('content.url is set, but content.port is not.');
    return;
  }
  if (content.port === port && port !== 0 && overlap(content.host, host))
    throw refused(`port and content.port are both ${port}: two listeners cannot share one.`);
  const url = checkUrl('content.url', content.url ?? '');
  if (url.origin === publicUrl.origin) throw refused('content.url has the same origin as publicUrl: it must be another host or port.');
}

/** Which options it may have is known to the state; nothing of it is ever shown. */
function checkState(state: Config['state']): void {
  if (state !== undefined && !/^postgres(ql)?:\/\//.test(state.reveal())) throw refused('state is not a URL that begins with postgres://.');
}

function overlap(a: string, b: string): boolean {
  const isAll = (host: string): boolean => host === '0.0.0.0' || host === '::';
  return a === b || isAll(a) || isAll(b) || (isLoopback(a) && isLoopback(b));
}

function checkProxies(networks: readonly string[]): void {
  for (const text of networks) {
    if (!ipaddr.isValid(text) && !ipaddr.isValidCIDR(text))
      throw refused(`trustedProxies: ${JSON.stringify(text.slice(0, 80))} is no address or network.`);
    if (ipaddr.isValidCIDR(text) && ipaddr.parseCIDR(text)[1] === 0)
      throw refused(`trustedProxies: ${text} is everybody, so that anybody could state any address.`);
  }
}

function checkExtensions(extensions: readonly string[]): void {
  const wrong = extensions.find((one) => !/^\.[a-z0-9_+-]{1,32}$/.test(one));
  if (wrong !== undefined) throw refused(`inline.extensions: ${JSON.stringify(wrong.slice(0, 40))} is not an extension such as .md.`);
}

function checkHost(key: string, host: string): void {
  if (isIP(host) === 0 && !/^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(host))
    throw refused(`${key} is no address or host name.`);
}

function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return bare === 'localhost' || bare === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(bare);
}

function refused(message: string): PackageRError {
  return new PackageRError('config_invalid', message, { operation: 'config.load' });
}
