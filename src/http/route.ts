/**
 * What every route declares beside its schemas: who may come (nothing declared, nothing registered) and what its body may cost.
 * Types follow from the schemas, so that a handler can only answer what its route declares.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, FastifyTypeProvider, RawServerDefault } from 'fastify';
import type { Static, TSchema } from 'typebox';
import type { Action, Actor } from '#model/actor.ts';
import type { Peer } from './peer.ts';

export interface SchemaTypes extends FastifyTypeProvider {
  readonly validator: this['schema'] extends TSchema ? Static<this['schema']> : unknown;
  readonly serializer: this['schema'] extends TSchema ? Static<this['schema']> : unknown;
}

export type Server = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, SchemaTypes>;

/** Whom the answer is shaped for. */
export type Audience = 'anyone' | 'visitor' | 'user' | 'admin';

/** secret: 16 KiB of JSON · json: 256 KiB · list: 4 MiB · stream: bytes as they come, unparsed. A form is taken where said. */
export type BodyKind = 'secret' | 'json' | 'list' | 'stream';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Needs no identity. Every other route answers 401 without one. */
    public?: true;
    /** What the domain is asked for; required where the route is not public. */
    action?: Action;
    audience?: Audience;
    body?: BodyKind;
    /** Also takes application/x-www-form-urlencoded. */
    form?: true;
    /** Also takes NDJSON and CSV, as a stream. */
    lists?: true;
    /** Answers as long as it takes: no deadline for the handler. */
    streams?: true;
    /** Answers are remembered under the header Idempotency-Key. Never for an answer that holds a secret. */
    idempotent?: true;
    /** Counts for the exchange rate of its share instead of the common one. */
    exchanges?: true;
    /** The same for everybody and cheap: counts for no rate. */
    asset?: true;
    /** Errors are shown as a page to browsers. */
    page?: true;
  }
  interface FastifyRequest {
    /** From verified evidence; undefined for nobody. Set before any handler of a route that is not public. */
    actor: Actor | undefined;
    peer: Peer;
    /** Aborts when the client goes away. */
    gone: AbortSignal;
  }
}

/** One line of the route inventory. */
export interface RouteDeclaration {
  readonly method: string;
  readonly url: string;
  readonly isPublic: boolean;
  readonly action: Action | undefined;
  readonly audience: Audience | undefined;
}

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** The object without its undefined fields. */
export function present<T extends object>(object: T): Present<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Present<T>;
}
