import { unknownTeacher } from '../../check-teachers.ts';
import { type Mistake, mistakeAt, type Path } from '../../mistake.ts';
import { didYouMean } from '../../nearest.ts';
import type { RecipeContext } from '../../recipe-context.ts';
import { nameOf, type PromptsSpec } from '../prompts/spec.ts';
import type { AifDelta, AifTeachers } from '../spec.ts';
import type { MemberSpec, PoolSpec } from './spec.ts';

/** Whether the teachers that answer are there, can be told apart, and are enough for every prompt. */
export function checkAnswers(recipe: RecipeContext, aif: AifTeachers | AifDelta): (Mistake | undefined)[] {
  const members: [Path, MemberSpec][] =
    aif.source === 'delta'
      ? [
          [['aif', 'strong'], aif.strong],
          [['aif', 'weak'], aif.weak],
        ]
      : aif.pool.map((member, index): [Path, MemberSpec] => [['aif', 'pool', index], member]);
  return [
    ...members.map(([path, { teacher }]) =>
      teacher === undefined ? undefined : unknownTeacher(recipe, [...path, 'teacher'], teacher),
    ),
    ...sameTwice(recipe, aif, members),
    ...sameNames(aif.prompts),
    ...(aif.source === 'teachers' ? [tooFew(aif), ...strangers(aif)] : []),
  ];
}

/** Two members that are the same model with the same sampling would give one and the same answer, paid once. */
function sameTwice(recipe: RecipeContext, { answer }: AifTeachers | AifDelta, members: readonly [Path, MemberSpec][]): Mistake[] {
  const seen = new Map<string, string>();
  return members.flatMap(([path, { teacher, model, sampling }]) => {
    const who = teacher === undefined ? model : recipe.teachers[teacher]?.model;
    if (who === undefined) return [];
    const key = JSON.stringify([teacher === undefined, who, { ...answer, ...sampling }]);
    const first = seen.get(key);
    seen.set(key, first ?? path.join('.'));
    const again = `expected another model or another sampling than ${first}: both would give the same answer`;
    return first === undefined ? sameTeacher(path, teacher, members) : [mistakeAt(path, again)];
  });
}

/** A teacher's id names its answers. */
function sameTeacher(path: Path, teacher: string | undefined, members: readonly [Path, MemberSpec][]): Mistake[] {
  const first = members.find(([, member]) => teacher !== undefined && member.teacher === teacher);
  if (first === undefined || first[0] === path) return [];
  return [mistakeAt(path, `teacher "${teacher}" is ${first[0].join('.')} already; a second sampling needs a teacher of its own`)];
}

function tooFew({ pool, answersPerPrompt }: AifTeachers): Mistake | undefined {
  const sharing = pool.filter(({ share }) => share !== undefined);
  if (sharing.length > answersPerPrompt)
    return mistakeAt(
      ['aif', 'pool'],
      `expected at most ${answersPerPrompt} members with a share, as many as answers a prompt, got ${sharing.length}`,
    );
  const always = pool.filter(({ share }: PoolSpec) => share === undefined || share === 1).length;
  if (always >= answersPerPrompt) return undefined;
  const without = sharing.length === 0 ? 'the size of the pool' : 'members that are drawn by weight or have a share of 1';
  return mistakeAt(['aif', 'answersPerPrompt'], `expected at most ${always}, ${without}, got ${answersPerPrompt}`);
}

/** Principles of a source that no prompt can be of, where the recipe holds all prompts itself. */
function strangers({ principles, prompts }: AifTeachers): Mistake[] {
  if (Array.isArray(principles) || prompts.sources.some(({ ref }) => ref !== undefined)) return [];
  const own = prompts.sources.flatMap(({ list }) =>
    list.flatMap((item) => (typeof item === 'object' && 'prompt' in item && item.source !== undefined ? [item.source] : [])),
  );
  const known = [...new Set([...prompts.sources.map(nameOf), ...own])];
  return Object.keys(principles)
    .filter((name) => name !== 'default' && !known.includes(name))
    .map((name) => ({
      path: ['aif', 'principles', name],
      part: 'key',
      message: `aif.principles: unknown source "${name}"${didYouMean(name, known) || `, expected default or one of ${known.join(', ')}`}`,
    }));
}

function sameNames({ sources, decontaminate }: PromptsSpec): Mistake[] {
  const named: [Path, string][] = [
    ...sources.map((source, index): [Path, string] => [['aif', 'prompts', 'sources', index], nameOf(source)]),
    ...decontaminate.map((each, index): [Path, string] => [['aif', 'prompts', 'decontaminate', index], nameOf(each)]),
  ];
  return named.flatMap(([path, name], at) => {
    const first = named.findIndex(([other, same]) => same === name && other[2] === path[2]);
    return first === at ? [] : [mistakeAt(path, `expected a name of its own, "${name}" is ${named[first]?.[0].join('.')}`)];
  });
}
