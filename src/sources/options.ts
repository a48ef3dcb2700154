/** Options of a source, checked against the schema that its driver declares. Secrets are none of them. */
import { Value } from 'typebox/value';
import type { DriverDefinition } from '#drivers/driver.ts';
import { PackageRError } from '#errors/error.ts';
import { suggest } from '#model/near.ts';
import type { Secret } from '#model/secret.ts';
import type { DriverView, SourceOptions } from '#sources/source.ts';

/** Errors: request_invalid, with the nearest kind. */
export function findDefinition(drivers: readonly DriverDefinition[], kind: string): DriverDefinition {
  const found = drivers.find((one) => one.kind === kind);
  if (found !== undefined) return found;
  const known = drivers.map((one) => one.kind);
  throw new PackageRError('request_invalid', `There is no driver ${quote(kind)}.${suggest(kind, known)} Drivers: ${known.join(', ')}.`);
}

export function viewDriver({ kind, title, options, secrets }: DriverDefinition): DriverView {
  return { kind, title, optionsSchema: options as unknown as Readonly<Record<string, unknown>>, secrets };
}

/**
 * The options as they are kept. Texts are taken for numbers and booleans where the schema has those, since flags and forms give texts.
 * Errors: request_invalid, which names the option; secret_invalid for a secret among them.
 */
export function parseSourceOptions(definition: DriverDefinition, given: Readonly<Record<string, unknown>>): SourceOptions {
  const known = Object.keys(definition.options.properties);
  for (const name of Object.keys(given)) {
    if (definition.secrets.some((secret) => secret.name === name))
      throw new PackageRError('secret_invalid', `${quote(name)} is a secret of the driver ${definition.kind}, not an option.`);
    if (!known.includes(name)) throw invalid(definition, `has no option ${quote(name)}.${suggest(name, known)}`);
  }
  const options = Object.fromEntries(
    known.filter((name) => given[name] !== undefined).map((name) => [name, read(definition, name, given[name])]),
  );
  const [fault] = Value.Errors(definition.options, options);
  if (fault !== undefined) {
    const where = fault.instancePath === '' ? '' : `, option ${quote(fault.instancePath.slice(1))}`;
    throw new PackageRError('request_invalid', `The options of the driver ${definition.kind} are not valid${where}: it ${fault.message}.`);
  }
  return options as SourceOptions;
}

/** Errors: secret_invalid for one that the driver does not have. */
export function checkSecretNames(definition: DriverDefinition, secrets: Readonly<Record<string, Secret | null>>): void {
  const known = definition.secrets.map((secret) => secret.name);
  for (const name of Object.keys(secrets)) {
    if (known.includes(name)) continue;
    throw new PackageRError('secret_invalid', `The driver ${definition.kind} has no secret ${quote(name)}.${suggest(name, known)}`);
  }
}

/** A text as the number or boolean that it spells, where the option is one. */
function read(definition: DriverDefinition, name: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const { type } = definition.options.properties[name] as { readonly type?: string };
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true';
  if ((type === 'integer' || type === 'number') && /^-?\d{1,16}(\.\d{1,16})?$/.test(value)) return Number(value);
  return value;
}

function invalid(definition: DriverDefinition, what: string): PackageRError {
  return new PackageRError('request_invalid', `The driver ${definition.kind} ${what}`);
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
