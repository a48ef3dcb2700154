/** `package-r exchange LINK`: stable URLs, paths or pointer files in, temporary URLs out, a JSON object a line. */
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import type { Command } from 'commander';
import type { CliContext } from '#cli/context.ts';
import { answerFault } from '#cli/get/answer-fault.ts';
import { connectionFault, sendHop } from '#cli/get/http.ts';
import { readLines } from '#cli/get/lines.ts';
import { addQuestions, type QuestionOptions, questionsOf, tokenFor } from '#cli/get/questions.ts';
import { ShareLink } from '#cli/get/share-link.ts';
import { parseSeconds } from '#cli/options.ts';
import { PackageRError } from '#errors/error.ts';
import { pointerLimits } from '#model/pointer-file.ts';

interface ExchangeOptions extends QuestionOptions {
  readonly expires?: number;
  readonly server?: string;
}

const description = `Exchanges entries of a link for temporary URLs: paths, or .pointer files on this disk (names that end in “.pointer”).
With “-”, or with no names, they are read from stdin, one a line; a line may also be what the exchange route takes: a path as JSON string,
{"path": …} or {"pointer": …}. The answers come in the order of the lines while these are still read. Exit code 1 when one of them failed.`;

export function addExchange(program: Command, context: CliContext): void {
  const command = program
    .command('exchange <link> [path...]')
    .summary('pointers in, temporary URLs out')
    .description(description)
    .option('--expires <duration>', 'life: 15m, 1h', parseSeconds);
  addQuestions(command).action(async (text: string, paths: string[], _options: unknown, self: Command) => {
    await exchange(context, { text, paths, options: self.optsWithGlobals<ExchangeOptions>() });
  });
}

interface Asked {
  readonly text: string;
  readonly paths: readonly string[];
  readonly options: ExchangeOptions;
}

async function exchange(context: CliContext, { text, paths, options }: Asked): Promise<void> {
  const { signal } = context;
  const isStdin = paths.includes('-') || paths.length === 0;
  if (isStdin && options.password !== undefined)
    throw new PackageRError(
      'argument_invalid',
      'Stdin can give the password or the list, not both: name the paths, or use a link with a ticket.',
    );
  const { link } = ShareLink.parse(text, { tokenFor: tokenFor(context, options.server, true), tries: 4, signal });
  await link.open(questionsOf(context, options));
  const url = link.exchangeUrl;
  if (options.expires !== undefined) url.searchParams.set('expires', String(options.expires));
  const names = isStdin ? readLines(context.terminal.stdin as AsyncIterable<Uint8Array>) : paths;
  const headers = { ...link.headersFor(url), 'content-type': 'application/x-ndjson' };
  const hop = await sendHop({ method: 'POST', url, headers, body: toLines(names), signal });
  if (hop.status !== 200) throw await answerFault(hop);
  const failures = await printAnswers(context, hop.body as AsyncIterable<Uint8Array>).catch((error) => {
    throw error instanceof PackageRError ? error : connectionFault(url, error, signal);
  });
  if (failures > 0) context.fail(failures === 1 ? 'One entry could not be exchanged.' : `${failures} entries could not be exchanged.`);
}

/** How many of them are errors. */
async function printAnswers({ terminal }: CliContext, body: AsyncIterable<Uint8Array>): Promise<number> {
  let failures = 0;
  for await (const line of readLines(body)) {
    if (isFailure(line)) failures++;
    if (!terminal.stdout.write(`${line}\n`)) await once(terminal.stdout, 'drain');
  }
  return failures;
}

function isFailure(line: string): boolean {
  try {
    return 'error' in (JSON.parse(line) as object);
  } catch {
    throw new PackageRError('store_response', 'The server gave an answer that cannot be understood.');
  }
}

async function* toLines(names: AsyncIterable<string> | Iterable<string>): AsyncGenerator<string> {
  for await (const name of names) {
    const text = name.replace(/\r$/, '');
    if (text !== '') yield `${isJson(text) ? text : await toLine(text)}\n`;
  }
}

/** A string or an object of JSON is passed on as it is. */
function isJson(text: string): boolean {
  if (!/^\s*["{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A pointer file that cannot be read is sent as the empty one that it is to us: its line of the answer says so. */
async function toLine(name: string): Promise<string> {
  return JSON.stringify(name.endsWith('.pointer') ? { pointer: await readPointer(name) } : name);
}

async function readPointer(name: string): Promise<string> {
  try {
    await using file = await open(name, 'r');
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(pointerLimits.bytes + 1) });
    return buffer.toString('utf8', 0, Math.min(bytesRead, pointerLimits.bytes));
  } catch {
    return '';
  }
}
