import { type TeacherSpec, teacherSpec } from './spec.ts';

/** The servers of a teacher, each as a teacher of its own: the recipe's first, then those to turn to when it fails. */
export function serversOf(spec: TeacherSpec): readonly TeacherSpec[] {
  const others = spec.failover.map((server) =>
    teacherSpec.parse({
      timeoutSeconds: spec.timeoutSeconds,
      tokenLimit: spec.tokenLimit,
      ...(spec.reasoningTokens === undefined ? {} : { reasoningTokens: spec.reasoningTokens }),
      ...(spec.awaySeconds === undefined ? {} : { awaySeconds: spec.awaySeconds }),
      ...server,
      model: server.model ?? spec.model,
    }),
  );
  return [spec, ...others];
}

/** The same under the names that the recipe has for them: `judge`, `judge.failover.0`. */
export function namedServers(id: string, spec: TeacherSpec): { readonly name: string; readonly server: TeacherSpec }[] {
  return serversOf(spec).map((server, index) => ({ name: index === 0 ? id : `${id}.failover.${index - 1}`, server }));
}
