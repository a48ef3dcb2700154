/** `package-r completion SHELL`: a script that completes verbs and options. */
import { Argument, type Command } from 'commander';
import type { CliContext } from '#cli/context.ts';

export function addCompletion(program: Command, context: CliContext): void {
  program
    .command('completion')
    .description('print a completion script: source <(package-r completion bash)')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action((shell: 'bash' | 'zsh' | 'fish') => {
      const words = wordsOf(program, '');
      context.print(
        shell === 'fish'
          ? writeFish(words)
          : `${shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}${writeBash(words)}`,
      );
    });
}

/** For each command line so far, the words that may follow. */
function wordsOf(command: Command, path: string): Map<string, string[]> {
  const options = command.options.map((option) => option.long).filter((name) => name != null);
  const words = new Map([[path, [...command.commands.map((child) => child.name()), ...options]]]);
  for (const child of command.commands) {
    for (const [key, value] of wordsOf(child, path === '' ? child.name() : `${path} ${child.name()}`)) words.set(key, value);
  }
  return words;
}

function writeBash(words: Map<string, string[]>): string {
  const cases = [...words].map(([path, next]) => `    '${path}') words='${next.join(' ')}' ;;`);
  return `_package_r() {
  local path='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${cases.join('\n')}
    *) COMPREPLY=(); compopt -o default 2>/dev/null; return ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _package_r package-r
`;
}

function writeFish(words: Map<string, string[]>): string {
  const lines = [...words].map(([path, next]) => {
    const condition =
      path === ''
        ? '__fish_use_subcommand'
        : path
            .split(' ')
            .map((word) => `__fish_seen_subcommand_from ${word}`)
            .join('; and ');
    return `complete -c package-r -f -n '${condition}' -a '${next.join(' ')}'`;
  });
  return `${lines.join('\n')}\n`;
}
