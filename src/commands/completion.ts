import type { Command } from 'commander';
import { EXIT, ZephyrError } from '../errors.ts';

/** `zephyr completion bash | zsh | fish`: made from the program itself, so that it never lags behind. */
export const completion =
  (program: Command) =>
  async ([shell]: string[]): Promise<number> => {
    const verbs = program.commands.map((command) => ({
      name: command.name(),
      about: command.description(),
      options: command.options.flatMap((option) => (option.long === undefined ? [] : [option.long])),
    }));
    const script = SCRIPTS[shell as keyof typeof SCRIPTS];
    const hint = 'eval "$(zephyr completion bash)"';
    if (script === undefined) throw new ZephyrError(`Cannot complete for "${shell}": expected bash, zsh or fish`, { hint });
    process.stdout.write(script(verbs));
    return EXIT.done;
  };

interface VerbShape {
  readonly name: string;
  readonly about: string;
  readonly options: readonly string[];
}

const SCRIPTS = {
  bash: (verbs: readonly VerbShape[]) => `_zephyr() {
  local word=\${COMP_WORDS[COMP_CWORD]} words=
  if [ "$COMP_CWORD" -eq 1 ]; then words="${verbs.map(({ name }) => name).join(' ')}"
  else case "\${COMP_WORDS[1]}" in
${verbs.map(({ name, options }) => `    ${name}) words="${options.join(' ')}" ;;`).join('\n')}
  esac; fi
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$word")) ;;
    *) if [ "$COMP_CWORD" -eq 1 ]; then COMPREPLY=($(compgen -W "$words" -- "$word")); else COMPREPLY=($(compgen -f -- "$word")); fi ;;
  esac
}
complete -o filenames -F _zephyr zephyr
`,
  zsh: (verbs: readonly VerbShape[]) => `#compdef zephyr
_zephyr() {
  local -a verbs=(${verbs.map(({ name, about }) => `'${name}:${about.replaceAll("'", '').replaceAll(':', ' ')}'`).join(' ')})
  if (( CURRENT == 2 )); then _describe verb verbs; return; fi
  case $words[2] in
${verbs.map(({ name, options }) => `    ${name}) _arguments ${options.map((option) => `'${option}[]'`).join(' ')} '*:file:_files' ;;`).join('\n')}
  esac
}
compdef _zephyr zephyr
`,
  fish: (verbs: readonly VerbShape[]) =>
    verbs
      .flatMap(({ name, about, options }) => [
        `complete -c zephyr -n __fish_use_subcommand -a ${name} -d '${about.replaceAll("'", '')}'`,
        ...options.map((option) => `complete -c zephyr -n '__fish_seen_subcommand_from ${name}' -l ${option.slice(2)}`),
      ])
      .join('\n')
      .concat('\n'),
};
