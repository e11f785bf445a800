import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { stringify } from 'yaml';
import { minimalData } from '../recipe/minimal.ts';
import { Extended } from '../rig/extended.ts';

/** A zephyr with one stage more: its folder is copied, the registry gets its import and its entry, nothing else is changed. */
function extended(): Extended {
  const copy = new Extended();
  copy.copy('sample-stage', 'src/stages/sample');
  copy.import('src/stages/registry.ts', 'sample', './sample/stage.ts');
  copy.insert('src/stages/registry.ts', '];\n', ', sample');
  return copy;
}

/** Teachers that cost what nobody has written down. */
const PAID = 'teachers.paid={provider: openai, model: m}';

describe('A stage that is added by one folder and one entry of the registry', () => {
  const copy = extended();
  after(() => copy.remove());
  const { folder } = copy;
  const { home } = copy.place;

  const zephyr = (...args: string[]) => {
    const env = { PATH: process.env.PATH, HOME: home, ZEPHYR_HOME: home, NO_COLOR: '1', OPENAI_API_KEY: 'sk-a-test' };
    return spawnSync(process.execPath, [join(folder, 'src/cli.ts'), ...args], { env, encoding: 'utf8', cwd: home });
  };
  const done = (...args: string[]) => {
    const { status, stdout, stderr } = zephyr(...args);
    assert.equal(status, 0, stderr);
    return { stdout, stderr };
  };
  const refused = (...args: string[]) => {
    const { status, stderr } = zephyr(...args);
    assert.equal(status, 2, stderr);
    return stderr;
  };

  const recipe = join(home, 'recipe.yaml');
  writeFileSync(join(home, 'questions.txt'), 'What is two plus two?\nHow far is the sea?\nWho wrote it?\n');
  const price = { input: 1000, output: 1000, date: '2026-11-01', source: 'a test' };
  const data = {
    ...minimalData(),
    teachers: { oracle: { provider: 'practice', model: 'practice-direct', price } },
    sample: { teacher: 'oracle', questionsFile: 'questions.txt' },
  };
  writeFileSync(recipe, stringify(data));

  it('has a verb with an option for each of its inputs, and is a choice of plan', () => {
    const help = done('--help').stdout;
    assert.match(help, /dsft, aif, ddpo, .*\bsample;/);
    assert.match(help, /sample \[options\] \[recipe\] +questions to a teacher, counted/);
    assert.match(done('sample', '--help').stdout, /--dsft <ref> +the dsft artifact to start from/);
    assert.match(done('plan', '--help').stdout, /\(choices: "dsft", "aif", "ddpo",[^)]*"sample"\)/);
  });

  it('has its section in the schema of a recipe and its micro batch in that of a target', () => {
    const { properties } = JSON.parse(done('schema', 'recipe').stdout) as { properties: Record<string, object> };
    assert.equal(Object.keys(properties).at(-1), 'sample');
    assert.match(done('schema', 'target').stdout, /Rows that one process takes at once; nobody measured it/);
  });

  const train = 'sample.train={learningRate: 1.0e-4, epochs: 1, globalBatch: 8, trl: {neftune_noise_alpha: 1}}';

  it('is checked: what only it can see, its budget, the fields of TRL, the files it names, each at its place', () => {
    const mistakes = (...sets: string[]) =>
      refused('plan', recipe, '--stage', 'sample', ...sets.flatMap((set) => ['--set', set]));
    const found = mistakes('sample.teacher=paid', 'sample.budgetUsd=1', train.replace('alpha', 'alfa'), PAID);
    assert.match(found, /sample\.budgetUsd: expected teachers\.paid\.price/);
    assert.match(found, /"sample\.train\.trl\.neftune_noise_alfa", no field of SFTConfig; did you mean "neftune_noise_alpha"/);
    assert.match(mistakes('sample.teacher=oracel'), /sample\.teacher: unknown teacher "oracel"; did you mean "oracle"\?/);
    assert.match(mistakes('sample.questionsFile=none.txt'), /sample\.questionsFile: expected a text file, there is none at/);
  });

  it('names the micro batch of its training itself, and takes an artifact of another stage by its option', () => {
    const [target, model] = [join(home, 'target.yaml'), join(home, 'model')];
    writeFileSync(target, 'backend: process\nhardware: {microBatch: {dsft: 8, sample: 3}}\n');
    mkdirSync(model);
    writeFileSync(join(model, 'config.json'), '{}');
    done('hub', 'import', model, '--as', 'hf://models/org/tuned');
    const asked = ['sample', recipe, '--on', target, '--set', train];
    assert.match(refused(...asked), /name it with --dsft hf:\/\/models\/ORG\/NAME/);
    const found = refused(...asked, '--dsft', 'hf://models/org/tuned');
    assert.match(found, /Cannot divide the global batch 8 over processes 1 x microBatch\.\w+ 3/);
  });

  it('is planned and priced by what it counts itself, and asks for a cap by the path of its budget', () => {
    const { stdout } = done('plan', recipe, '--stage', 'sample');
    assert.match(stdout, /sample\/ask +run +3 questions to practice-direct/);
    assert.match(stdout, /\$30\.00 likely, .* for each 1,000 questions, counted once they are read/);
    assert.match(stdout, /warning: the questions are not counted yet/);
    const told = refused('sample', recipe, '--set', PAID, '--set', 'sample.teacher=paid');
    assert.match(told, /Cannot begin stage "sample" unasked: it pays teachers, and sample\.budgetUsd sets no limit/);
  });

  it('is rehearsed as it says, with a reason for each change', () => {
    const { stdout } = done('plan', recipe, '--rehearsal');
    assert.match(stdout, /sample\.teacher +oracle +practice-direct +the practice teacher answers/);
    assert.match(stdout, /sample\.questions +3 questions +2 questions +fewer questions/);
    assert.match(stdout, /sample\/ask +run +2 questions to practice-direct/);
  });

  it('is refused in a rehearsal where it asks teachers and names no practice models', () => {
    const own = join(folder, 'src/stages/sample/body.ts');
    const text = readFileSync(own, 'utf8');
    const told = (changed: string) => {
      writeFileSync(own, changed);
      const stderr = refused('plan', recipe, '--rehearsal');
      writeFileSync(own, text);
      return stderr;
    };
    const silent = told(text.replace(/^ {2}rehearsal: \{$.*?^ {2}\},$/ms, ''));
    assert.match(silent, /Cannot rehearse stage "sample": its step "ask" asks teachers, and the stage names no practice models/);
    assert.match(silent, /hint: .*--set sample=null/);
    const forgotten = told(text.replace("teachers: ['practice-direct'],", ''));
    assert.match(forgotten, /Cannot ask teacher "practice-direct": recipe "mini-rehearsal" has none of that name/);
    assert.match(done('plan', recipe, '--rehearsal', '--set', 'sample=null').stdout, /ddpo/);
  });

  it('runs: its artifact is on stdout, what it shows of itself beside it, and an equal run uses it again', () => {
    const first = done('sample', recipe);
    assert.match(first.stdout, /^hf:\/\/datasets\/local\/mini-sample@[0-9a-f]{40}\n$/);
    assert.match(first.stderr, /What the teacher said\nquestions +characters\n3 +\d+\nthe shorter the better\n/);
    const again = done('sample', recipe);
    assert.equal(again.stdout, first.stdout);
    assert.match(done('plan', recipe, '--stage', 'sample').stdout, /sample\/ask +reuse/);
    assert.match(done('resume', first.stdout.trim()).stderr, /is done; nothing to resume/);
  });

  it('is left out by a recipe without its section, and missed by name where it is asked for', () => {
    const { sample: _, ...plain } = data;
    const without = join(home, 'plain.yaml');
    writeFileSync(without, stringify(plain));
    assert.doesNotMatch(done('plan', without, '--rehearsal').stdout, /sample\//);
    assert.match(refused('sample', without), /Cannot plan stage "sample": recipe "mini" has no section of that name/);
  });
});
