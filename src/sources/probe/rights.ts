/** What the store says of itself: the region, and whether the identity of the source may do more than it needs. */
import type { ExcessRight, StoreFacts } from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';
import { type Finding, failed, ok, sayError, skipped, warning } from '#sources/probe/finding.ts';
import type { Probe } from '#sources/probe/probe.ts';

const words: Readonly<Record<ExcessRight, string>> = {
  write: 'write objects, though the source is read-only',
  buckets: 'list other buckets',
  outside: 'list what lies beyond the prefix',
};

/** `facts`: what `inspect` gave, or its error. */
export function checkRights({ report }: Probe, facts: StoreFacts | PackageRError): void {
  if (facts instanceof PackageRError) {
    report.add('rights', skipped(`What the identity may do was not learned: ${sayError(facts)}`));
    return;
  }
  const works = report.checks.some(({ name, outcome }) => name === 'presign' && outcome === 'ok');
  if (facts.region !== undefined) report.add('region', sayRegion(facts.region, works));
  if (facts.excessRights !== undefined) report.add('rights', sayRights(facts.excessRights, facts.leastPolicy));
}

function sayRegion({ signed, actual }: NonNullable<StoreFacts['region']>, works: boolean): Finding {
  if (signed === actual) return ok(`The region is right: ${actual}.`);
  if (works) return ok(`Signatures are made for the region ${signed}; the store, which calls its own ${actual}, takes them.`);
  const says = `Signatures are made for the region ${signed}, but the bucket lies in ${actual}.`;
  return failed(says, { remedy: `Set the option region to ${actual}.` });
}

function sayRights(rights: readonly ExcessRight[], leastPolicy: string | undefined): Finding {
  if (rights.length === 0) return ok('The identity of the source may do no more than it needs, as far as was tried.');
  return warning(`The identity of the source may do more than it needs: ${rights.map((right) => words[right]).join('; ')}.`, {
    remedy: leastPolicy === undefined ? 'Give it a key that may only list and read here.' : 'Give its identity this policy instead.',
    paste: leastPolicy,
  });
}
