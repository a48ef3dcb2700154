/** The frame of server-rendered pages, without scripts, and the pages that say why there is nothing to see. */
import { hash } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import type { Problem } from '#api/problem.ts';
import { pagePolicy } from './headers.ts';
import { type Html, type HtmlValue, html } from './html.ts';
import { pageStyle } from './page-style.ts';

/** Changes with its content, so that it may be kept for ever. */
export const stylePath: string = `/assets/${hash('sha256', pageStyle).slice(0, 16)}.css`;

export interface PageRequest {
  readonly title: string;
  readonly body: HtmlValue;
  /** The path of the server, ending in a slash: `/`, or what a deployment puts before. */
  readonly root: string;
  /** What relative links begin with, where the page stands at an address without its slash: `./ID/`. */
  readonly base?: string | undefined;
}

export function writePage({ title, body, root, base }: PageRequest): Html {
  const style = `${root}${stylePath.slice(1)}`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
${
  base === undefined
    ? ''
    : html`<base href="${base}">
`
}<title>${title}</title>
<link rel="stylesheet" href="${style}">
</head>
<body>
${body}
<footer><p><span>Shared with <strong>packageR</strong>. Files come straight from storage.</span></p></footer>
</body>
</html>
`;
}

/** Says no more than its problem does. */
export function writeErrorPage({ title, help, status, instance }: Problem, root: string): Html {
  const body = html`<main class="notice">
<p class="status">${status}</p>
<h1>${title}</h1>
<p>${help}</p>
<p class="quiet">Request ${instance}</p>
</main>`;
  return writePage({ title, body, root });
}

/** A page with a base of its own needs the policy that lets it have one, of our own origin. */
export function sendPage(reply: FastifyReply, page: Html, { status = 200, hasBase = false } = {}): FastifyReply {
  reply.code(status);
  const policy = hasBase ? pagePolicy.replace("base-uri 'none'", "base-uri 'self'") : pagePolicy;
  reply.headers({ 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy });
  return reply.serializer((text: unknown) => String(text)).send(String(page));
}

/** After a form: the browser asks for the page anew. Relative, so that tickets and deployment prefixes stay. */
export function sendSeeOther(reply: FastifyReply, relative: string): FastifyReply {
  return reply.code(303).header('location', relative).send();
}
