/**
 * Temporary URLs, tried as those try them who are given one: the right bytes, parts, HEAD; and refused when changed, used for another
 * method, or used too late.
 */
import { PackageRError } from '#errors/error.ts';
import type { TemporaryUrl } from '#model/temporary-url.ts';
import type { FetchedUrl } from '#sources/probe/fetch-url.ts';
import { type Finding, failed, ok, sayError, skipped, warning } from '#sources/probe/finding.ts';
import type { Probe } from '#sources/probe/probe.ts';
import { type Sample, sampleBytes } from '#sources/probe/reading.ts';

/** Seconds. */
const urlLife = 60;
/** Milliseconds. */
const skew = { warning: 30_000, failed: 300_000 } as const;
/** Milliseconds after which a URL that lives for one second is dead, whatever fraction is rounded away. */
const untilDead = 2000;
/** Milliseconds that the store’s clock may be behind for the end of a URL to be waited for. */
const longestLag = 5000;

type Use = Partial<Pick<TemporaryUrl, 'url'>> & { readonly method?: 'GET' | 'HEAD'; readonly headers?: Readonly<Record<string, string>> };

/** Fetches with a temporary URL, changed as told. */
export function useUrl({ fetch, signal }: Probe, made: TemporaryUrl, change: Use = {}): Promise<FetchedUrl> {
  const method = change.method ?? (made.method === 'HEAD' ? 'HEAD' : 'GET');
  const headers = { ...made.headers, ...change.headers };
  return fetch({ url: change.url ?? made.url, method, headers, maxBytes: sampleBytes, signal });
}

/** A temporary URL that works; undefined where none does, or none could be tried. */
export async function checkSigning(probe: Probe, sample: Sample | undefined): Promise<TemporaryUrl | undefined> {
  const { driver, report } = probe;
  if (driver.capabilities.presign === 'no') {
    report.add('presign', warning('It cannot make temporary URLs: people can browse it, but not fetch from it.'));
    return undefined;
  }
  if (sample === undefined) {
    report.add('presign', skipped('There is no object to make a temporary URL for.'));
    return undefined;
  }
  const make = async (method: 'GET' | 'HEAD', expiresIn = urlLife) => driver.presign({ method, key: sample.info.key, expiresIn });
  const made = await report.attempt(() => make('GET'));
  if (made instanceof PackageRError) {
    report.add('presign', report.failure(made));
    return undefined;
  }
  const fetched = await reach(probe, made);
  if (fetched === undefined) return undefined;
  report.add('presign', sayFetched(fetched, sample));
  const lag = probe.clock() - Date.parse(fetched.headers['date'] ?? '');
  report.add('clock', sayClock(lag));
  if (fetched.status !== 200) return undefined;
  const diesAt = probe.clock() + untilDead + Math.max(0, lag);
  const dying = made.expiresAt === undefined || !(Math.abs(lag) <= longestLag) ? undefined : await report.attempt(() => make('GET', 1));
  await checkUses(probe, sample, made, () => make('HEAD'));
  if (dying !== undefined && !(dying instanceof PackageRError)) await checkDeath(probe, dying, diesAt);
  return made;
}

/** The host may be one that only people reach, not packageR: then nothing is known, and nothing is wrong. */
async function reach(probe: Probe, made: TemporaryUrl): Promise<FetchedUrl | undefined> {
  const { report, facts, options } = probe;
  const answer = await report.attempt(() => useUrl(probe, made));
  const { host, hostname, protocol } = new URL(made.url);
  const isOther = facts.publicEndpoint !== undefined;
  if (answer instanceof PackageRError) {
    const says = `Temporary URLs are made for ${host}, which was not reached from here: ${sayError(answer)}`;
    const remedy = isOther
      ? 'See that people reach it; if it is wrong, set the option publicEndpoint to the address at which they do.'
      : report.failure(answer).remedy;
    report.add('public-endpoint', isOther ? warning(says, { remedy }) : failed(says, { remedy }));
    report.add('presign', skipped('A temporary URL was made; it could not be tried from here.'));
    return undefined;
  }
  if (isOther) report.add('public-endpoint', ok(`Temporary URLs are made for ${host}, which answers.`));
  const isLocal = /^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
  const tls = sayTls(protocol, isLocal, options);
  if (tls !== undefined) report.add('tls', tls);
  return answer;
}

function sayTls(protocol: string, isLocal: boolean, { ca, insecure }: Probe['options']): Finding | undefined {
  if (insecure === true)
    return warning('Its certificate is not checked, as it is set up: whoever stands between can read and change everything.', {
      remedy: 'Give the certificate of its authority as the option ca instead, and take insecure away.',
    });
  if (protocol === 'http:' && !isLocal)
    return warning('Its temporary URLs go over plain HTTP: whoever stands between can read them, and use them until they end.', {
      remedy: 'Set endpoint and publicEndpoint to https addresses.',
    });
  if (ca !== undefined) return ok('Its certificate comes from a private authority: people who fetch from it must trust that one too.');
  return undefined;
}

async function checkUses(probe: Probe, sample: Sample, made: TemporaryUrl, makeHead: () => Promise<TemporaryUrl>): Promise<void> {
  const { report } = probe;
  const last = sample.head.length - 1;
  if (last > 0) {
    const range = { headers: { range: `bytes=1-${last}` } };
    await report.check(
      'presign-range',
      () => useUrl(probe, made, range),
      (answer) => saySignedRange(answer, sample),
    );
  }
  await report.check(
    'presign-head',
    async () => useUrl(probe, await makeHead()),
    (answer) => saySignedHead(answer, sample),
  );
  if (made.expiresAt === undefined) {
    report.add('public', ok('It needs no signature: its addresses work for everyone, and for good.'));
    return;
  }
  await report.check('presign-method', () => useUrl(probe, made, { method: 'HEAD' }), sayOtherMethod);
  const tampered = await report.check('tampered', () => useUrl(probe, made, { url: tamper(made.url) }), sayTampered);
  const [bare = '', query] = made.url.split('?');
  if (query !== undefined && tampered !== undefined && isRefusal(tampered))
    await report.check('unsigned', () => useUrl(probe, made, { url: bare }), sayUnsigned);
}

async function checkDeath(probe: Probe, made: TemporaryUrl, diesAt: number): Promise<void> {
  const left = diesAt - probe.clock();
  await probe.report.check(
    'expired',
    async () => {
      if (left > 0) await probe.wait(left);
      return useUrl(probe, made);
    },
    (answer) =>
      isRefusal(answer)
        ? ok('A temporary URL ends when it says so.')
        : failed(`A temporary URL that had ended answers ${answer.status}.`, {
            remedy: 'Use a store that checks signatures: what is given out of this one stays open.',
          }),
  );
}

function isRefusal({ status }: FetchedUrl): boolean {
  return status >= 400 && status < 500;
}

function sayFetched(answer: FetchedUrl, sample: Sample): Finding {
  const says = `The temporary URL answers ${answer.status}.`;
  if (answer.status >= 300 && answer.status < 400)
    return failed(`${says} The store sends elsewhere, where the signature does not hold.`, {
      remedy: 'Set the options region, endpoint and style to those of the bucket.',
    });
  if (answer.status !== 200)
    return failed(says, {
      remedy: 'Check the options region and publicEndpoint, the clock, and that the identity of the source may read objects.',
    });
  return Buffer.from(answer.body).subarray(0, sample.head.length).equals(sample.head)
    ? ok('A temporary URL was made and gave the bytes of its object.')
    : failed('The temporary URL gave other bytes than the object has.', {
        remedy: 'See whether a proxy or a cache stands before the store.',
      });
}

function saySignedRange(answer: FetchedUrl, sample: Sample): Finding {
  const isPart = answer.status === 206 && Buffer.from(answer.body).equals(sample.head.subarray(1));
  if (isPart) return ok('Temporary URLs give parts of an object, so that downloads resume.');
  return warning('Temporary URLs do not give parts of an object: downloads cannot resume.', {
    remedy: 'See whether a proxy drops the header Range.',
  });
}

function saySignedHead({ status, headers }: FetchedUrl, { info }: Sample): Finding {
  if (status !== 200)
    return warning(`A temporary URL for HEAD answers ${status}: clients that ask before they fetch will fail.`, {
      remedy: 'See whether a proxy before the store turns HEAD into GET.',
    });
  const size = headers['content-length'];
  if (size === String(info.size)) return ok('A temporary URL for HEAD tells the size of its object.');
  return warning('A temporary URL for HEAD does not tell the size of its object.', {
    remedy: 'See whether a proxy before the store changes the header Content-Length.',
  });
}

function sayOtherMethod(answer: FetchedUrl): Finding {
  if (isRefusal(answer)) return ok('A temporary URL for GET is for GET alone; packageR signs HEAD as HEAD.');
  return ok('A temporary URL for GET also answers HEAD here; packageR signs HEAD as HEAD all the same.');
}

function sayTampered(answer: FetchedUrl): Finding {
  if (isRefusal(answer)) return ok('A temporary URL that was changed is refused.');
  return failed(`A temporary URL that was changed answers ${answer.status}: the store does not check signatures.`, {
    remedy: 'Let the store demand signatures, and take away public access; until then, whoever knows an address may read.',
  });
}

function sayUnsigned(answer: FetchedUrl): Finding {
  if (isRefusal(answer)) return ok('Without a signature nothing is given.');
  return warning('The store gives this object to everyone, without a signature: the end of a share does not protect it.', {
    remedy: 'Take away public access, unless it is meant.',
  });
}

/** `lag`: milliseconds by which the store’s clock is behind; NaN where it tells no time. */
function sayClock(lag: number): Finding {
  if (Number.isNaN(lag)) return skipped('The store does not tell its time.');
  const difference = Math.abs(lag);
  const says = `The clocks of this machine and of the store are ${Math.round(difference / 1000)} s apart.`;
  const remedy = 'Let this machine keep its time by NTP: signatures depend on it.';
  if (difference >= skew.failed) return failed(says, { remedy });
  if (difference >= skew.warning) return warning(says, { remedy });
  return ok('The clocks of this machine and of the store agree.');
}

/** Another URL: one character of the signature is replaced; of the longest value, or of the path, where none is named so. */
function tamper(url: string): string {
  const [bare = '', query] = url.split('?');
  if (query === undefined) {
    const at = url.indexOf('/', url.indexOf('//') + 2);
    return url.slice(0, at) + change(url.slice(at));
  }
  const pairs = query.split('&').map((pair) => pair.split('='));
  const byLength = pairs.toSorted(([, a = ''], [, b = '']) => b.length - a.length);
  const chosen = pairs.find(([name = '']) => /signature$/i.test(name)) ?? byLength[0];
  return `${bare}?${pairs.map((pair) => (pair === chosen ? `${pair[0]}=${change(pair[1] ?? '')}` : pair.join('='))).join('&')}`;
}

function change(text: string): string {
  const middle = Math.floor(text.length / 2);
  return `${text.slice(0, middle)}${text[middle] === '0' ? '1' : '0'}${text.slice(middle + 1)}`;
}
