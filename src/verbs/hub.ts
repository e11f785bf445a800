import { Option } from 'commander';
import { HUB, JSON_OUT, listOption, type Verb } from './verb.ts';

const OTHER = 'HF_ENDPOINT or https://huggingface.co without it';

export const HUB_VERB: Verb = {
  usage: 'hub <action> [names...]',
  about: 'the embedded Hub: serve, ls, import FOLDER, pull REF, push REF, rm REF, prune',
  load: async () => (await import('../commands/hub.ts')).hub,
  options: [
    HUB,
    JSON_OUT,
    new Option('--port <number>', 'serve: the port on 127.0.0.1').default('7600'),
    new Option('--as <ref>', 'import, pull, push: the repo to bring it to, hf://models/ORG/NAME'),
    new Option('--from <url>', `pull: the Hub to pull from, ${OTHER}`),
    new Option('--to <url>', `push: the Hub to push to, ${OTHER}`),
    listOption('--include <glob>', 'pull: only files that fit; may be repeated'),
    listOption('--exclude <glob>', 'pull: no files that fit; may be repeated'),
    new Option('--yes', 'prune, rm, push: do what was only told or asked without it'),
  ],
};
