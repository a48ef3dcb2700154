/** `package-r serve`: the server, until Ctrl-C. */
import { type Command, Option } from 'commander';
import type { CliContext } from '#cli/context.ts';
import { say } from '#cli/show.ts';
import { printable } from '#cli/terminal.ts';
import { flagNameOf, type SettingKey, settingKeys, settings } from '#config/settings.ts';

const shown: readonly SettingKey[] = [
  'host',
  'port',
  'publicUrl',
  'content.port',
  'content.url',
  'secretsFolder',
  'endpoints.allow',
  'trustedProxies',
  'log.level',
];

export function addServe(program: Command, context: CliContext): void {
  const serve = program
    .command('serve')
    .summary('start the server')
    .description(
      'Starts the server on one data folder, until Ctrl-C. Every setting has a flag; docs/reference/config.md lists all of them.',
    );
  const flags = new Map<string, SettingKey>();
  for (const key of settingKeys) {
    // The data folder is an option of all verbs; a secret is not taken from the command line.
    if (key === 'dataDir' || settings[key].type === 'secret') continue;
    const option = new Option(`${flagNameOf(key)} <value>`, settings[key].description).hideHelp(!shown.includes(key));
    flags.set(option.attributeName(), key);
    serve.addOption(option);
  }
  serve.action(async (given: Readonly<Record<string, string>>) => {
    const loaded = await context.loadConfig(Object.fromEntries(Object.entries(given).map(([name, value]) => [flags.get(name), value])));
    for (const warning of loaded.warnings) context.terminal.stderr.write(`${printable(warning)}\n`);
    await context.serve(loaded, async ({ url, admin }) => {
      if (context.isJson) context.json({ url });
      say(context, `packageR serves on ${url}`);
      if (admin === undefined) return;
      context.terminal.stderr.write(
        `\nFirst start. Sign in as ${admin.name} with the password\n\n    ${admin.password.reveal()}\n\nIt is not shown again.\n\n`,
      );
    });
  });
}
