import { Option } from 'commander';
import type { StageModule } from '../stages/module.ts';
import { DETACH, HUB, JSON_OUT, SET, TAKE_OVER, type Verb, YES } from './verb.ts';

const PHASES = ['running', 'detached', 'stopped', 'failed', 'cancelled', 'done'];

/** The verbs about runs, of this process or of another. */
export function runVerbs(stages: readonly StageModule[]): Verb[] {
  return [
    {
      usage: 'resume <id>',
      about: 'go on with a run where it stopped, from any folder',
      load: async () => (await import('../commands/resume.ts')).resume,
      options: [
        new Option('--on <target>', 'another target than the one the run began on'),
        HUB,
        SET,
        JSON_OUT,
        YES,
        TAKE_OVER,
        DETACH,
      ],
    },
    {
      usage: 'status [id]',
      about: 'the runs on the Hub, or one of them',
      load: async () => (await import('../commands/status.ts')).status,
      options: [
        HUB,
        JSON_OUT,
        new Option('--stage <name>', 'runs of this stage only').choices(stages.map(({ name }) => name)),
        new Option('--phase <name>', 'runs in this phase only').choices(PHASES),
        new Option('--repo <text>', 'runs of repos with this in their name only'),
        new Option('--limit <number>', 'the newest so many'),
        new Option('--clean', 'what ended runs have left: their branches, and job folders on this machine'),
        new Option('--yes', '--clean: delete what was only listed without it'),
      ],
    },
    {
      usage: 'wait <id>',
      about: 'until a run ends, whoever works on it; exits as status does',
      load: async () => (await import('../commands/wait.ts')).wait,
      options: [HUB, JSON_OUT, new Option('--timeout <seconds>', 'give up waiting; exits with 7')],
    },
    {
      usage: 'logs <id>',
      about: 'what the jobs of a run printed, or what zephyr did',
      load: async () => (await import('../commands/logs.ts')).logs,
      options: [
        HUB,
        new Option('-f, --follow', 'go on as the run goes on'),
        new Option('--events', "the run's log: all that zephyr did and saw, on whatever machine"),
        new Option('--json', '--events: the lines of the log as they are'),
      ],
    },
    {
      usage: 'cancel <id>',
      about: 'stop the job of a run; its checkpoint is kept',
      load: async () => (await import('../commands/cancel.ts')).cancel,
      options: [HUB, JSON_OUT],
    },
  ];
}
