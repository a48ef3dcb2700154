/**
 * The AWS configuration files, as far as it must be known before the SDK reads them: whether a profile is there, and whether using it
 * would start a program or connect past our connector, which is refused.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { noCredentials } from '#drivers/s3/credentials.ts';
import { suggest } from '#model/near.ts';

export interface ProfileFiles {
  readonly credentials: string;
  readonly config: string;
}

type Profiles = ReadonlyMap<string, ReadonlyMap<string, string>>;

const refusedSettings: Readonly<Record<string, string>> = {
  credential_process: 'starts a program',
  credential_source: 'takes its credentials from elsewhere',
  sso_session: 'needs a person to sign in',
  sso_start_url: 'needs a person to sign in',
  login_session: 'needs a person to sign in',
  mfa_serial: 'needs a person’s second factor',
};

export function profileFiles(environment: NodeJS.ProcessEnv): ProfileFiles {
  const folder = join(environment['HOME'] ?? homedir(), '.aws');
  return {
    credentials: environment['AWS_SHARED_CREDENTIALS_FILE'] ?? join(folder, 'credentials'),
    config: environment['AWS_CONFIG_FILE'] ?? join(folder, 'config'),
  };
}

export async function readProfiles({ credentials, config }: ProfileFiles): Promise<Profiles> {
  const profiles = new Map<string, Map<string, string>>();
  addSections(
    profiles,
    await readText(config),
    (title) => /^profile\s+["']?(.+?)["']?$/.exec(title)?.[1] ?? (title === 'default' ? title : undefined),
  );
  addSections(profiles, await readText(credentials), (title) => title);
  return profiles;
}

/** Errors: source_credentials for a profile that is not there (with the nearest) or that, itself or by its source, does what is refused. */
export function checkProfile(profiles: Profiles, name: string, seen: readonly string[] = []): void {
  const profile = profiles.get(name);
  if (profile === undefined)
    throw noCredentials(`There is no AWS profile ${JSON.stringify(name.slice(0, 80))}.${suggest(name, profiles.keys())}`);
  for (const [setting, why] of Object.entries(refusedSettings)) {
    if (profile.has(setting))
      throw noCredentials(`The AWS profile ${JSON.stringify(name)} has ${setting}, which ${why}: packageR does not use it.`);
  }
  const from = profile.get('source_profile');
  if (from !== undefined && from !== name && !seen.includes(from)) checkProfile(profiles, from, [...seen, name]);
}

function addSections(profiles: Map<string, Map<string, string>>, text: string, nameOf: (title: string) => string | undefined): void {
  let section: Map<string, string> | undefined;
  for (const line of text.split(/\r?\n/)) {
    const title = /^\s*\[([^\]]+)\]/.exec(line)?.[1]?.trim();
    const [, name, value] = /^([\w-]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (title !== undefined) {
      const profile = nameOf(title);
      section = profile === undefined ? undefined : (profiles.get(profile) ?? new Map());
      if (profile !== undefined && section !== undefined) profiles.set(profile, section);
    } else if (name !== undefined && value !== undefined) section?.set(name.toLowerCase(), value);
  }
}

async function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return '';
    throw noCredentials('An AWS configuration file cannot be read.', cause);
  });
}
