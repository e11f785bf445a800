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
