/**
 * The pools of connections that the connector keeps, apart for each kind of trust: a socket opened without verification, or for a private
 * authority, never serves a call that wants another. Names are looked up here, and only checked addresses are dialled.
 */

import { X509Certificate } from 'node:crypto';
import { lookup as systemLookup } from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import type { OutboundRequest } from '#drivers/connector.ts';
import { PackageRError } from '#errors/error.ts';
import type { EndpointList } from '#layers/endpoints.ts';

export type Resolve = (host: string) => Promise<readonly string[]>;

export const resolveBySystem: Resolve = async (host) => (await systemLookup(host, { all: true, verbatim: true })).map((one) => one.address);

export class AgentPool {
  readonly #agents = new Map<string, http.Agent>();
  readonly #list: EndpointList;
  readonly #resolve: Resolve;
  readonly #connections: number;

  constructor(list: EndpointList, resolve: Resolve, connections: number) {
    this.#list = list;
    this.#resolve = resolve;
    this.#connections = connections;
  }

  /** `fresh`: one that never hands out a connection that was used before. Errors: request_invalid for a `ca` that is none. */
  get({ url, ca, insecure = false }: OutboundRequest, fresh: boolean): http.Agent {
    const isTls = url.protocol === 'https:';
    const name = `${fresh} ${isTls ? `tls ${insecure} ${ca ?? ''}` : 'plain'}`;
    const known = this.#agents.get(name);
    if (known !== undefined) return known;
    const base = { keepAlive: !fresh, maxSockets: this.#connections };
    const authorities = ca === undefined ? {} : { secureContext: trusting(ca) };
    // Given explicitly, so that no setting of the environment (a proxy, a lifted verification) reaches them.
    const agent = isTls ? new https.Agent({ ...base, ...authorities, rejectUnauthorized: !insecure }) : new http.Agent(base);
    this.#agents.set(name, agent);
    return agent;
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  /** Answers with checked addresses only; what is answered here is what is dialled. */
  lookup(port: number): LookupFunction {
    return (host, options, done) => {
      this.#resolve(host)
        .then((found) => {
          const plain = host.toLowerCase().replace(/\.$/, '');
          const wanted = found.filter((address) => !options.family || isIP(address) === Number(options.family));
          const allowed = wanted.filter((address) => this.#list.allows(plain, address, port));
          const [first] = allowed;
          if (first === undefined) throw found[0] === undefined ? unknownName() : this.#list.refusal(plain, found[0], port);
          if (options.all)
            done(
              null,
              allowed.map((address) => ({ address, family: isIP(address) })),
            );
          else done(null, first, isIP(first));
        })
        .catch((error: NodeJS.ErrnoException) => done(error, '', 0));
    };
  }
}

/** Parsed once: a hundred and more certificates are not read again for each connection. */
function trusting(ca: string): SecureContext {
  try {
    new X509Certificate(ca);
    return createSecureContext({ ca: [...getCACertificates('default'), ca] });
  } catch (cause) {
    throw new PackageRError('request_invalid', 'ca: This is no certificate in PEM form.', { operation: 'connector.request', cause });
  }
}

function unknownName(): Error {
  return Object.assign(new Error('no address'), { code: 'ENOTFOUND' });
}
