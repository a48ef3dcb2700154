/**
 * Headers of answers: what every answer carries, and the one encoder for values that hold a name. Node throws on control characters in a
 * header, so nothing of a user's gets there but through here.
 */
import { hash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { indexStyle } from './page-style.ts';

/** For answers that are no page: nothing in them may act, should a browser show them. */
export const strictPolicy = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

/** For a page that may be followed by crawlers: its only style stands within it. */
export const indexPolicy: string = `default-src 'none'; style-src 'sha256-${hash('sha256', indexStyle, 'base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** For our own pages without scripts. */
export const pagePolicy =
  "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/**
 * For the web application. The nonce is new for each answer: the editor makes a style element of its own. Nothing is asked of any other
 * host, and nothing of a user's is shown but as text, by sanitised Markdown, or in a frame without an origin.
 */
export function appPolicy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "media-src 'self' blob:",
    "worker-src 'self' blob:",
    "frame-src 'self'",
    "base-uri 'self'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

export const baseHeaders: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': strictPolicy,
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-frame-options': 'DENY',
  'x-robots-tag': 'noindex',
  'cache-control': 'no-store',
};

/** Lets scripts of other sites read what a share link gives; without credentials, so a cookie never counts there. */
export const crossOriginHeaders: Readonly<Record<string, string>> = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers':
    'Content-Length, Content-Range, Accept-Ranges, ETag, Retry-After, X-Package-Version, X-Linked-Size, X-Linked-ETag, X-Linked-Checksum',
  'cross-origin-resource-policy': 'cross-origin',
};

export function allowCrossOrigin(reply: FastifyReply): void {
  reply.headers(crossOriginHeaders);
}

/** Once the public URL is https. */
export const secureHeaders: Readonly<Record<string, string>> = { 'strict-transport-security': 'max-age=31536000' };

/** A value that a store or a user chose, as header: undefined where it cannot be one. */
export function toHeaderValue(text: string | undefined): string | undefined {
  return text !== undefined && /^[\x21-\x7e]([\x20-\x7e]{0,1000}[\x21-\x7e])?$/.test(text) ? text : undefined;
}
