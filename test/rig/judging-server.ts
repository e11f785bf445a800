import { type Asked, type ChatServer, type Doing, type Protocol, startChatServer } from './chat-server.ts';

/** What a judge is asked has its answers under labels; all else is a question to the pool. */
export const isJudging = ({ body }: Asked) => labelsIn(body.messages.at(-1)?.content ?? '').length > 0;

/** A whole judgement of all labels that the question has, the first the best. */
export function judgement({ body }: Asked): string {
  const labels = labelsIn(body.messages.at(-1)?.content ?? '');
  return JSON.stringify({ ratings: labels.map((label, at) => ({ label, rationale: 'so', rating: Math.max(1, 5 - at) })) });
}

function labelsIn(question: string): string[] {
  return [...question.matchAll(/<<<ANSWER (\w+) /g)].map(([, label]) => label ?? '');
}

/** A server of pool and judge alike: each model has its own answer to a question, and judgements are whole. `script` may differ. */
export function startJudgingServer(
  script: (asked: Asked) => Doing | undefined = () => undefined,
  protocol?: Protocol,
): Promise<ChatServer> {
  const scripted = (asked: Asked) => {
    const { model, messages } = asked.body;
    const usual = isJudging(asked) ? judgement(asked) : `${model} says of it: ${messages.at(-1)?.content}`;
    return { text: usual, ...script(asked) };
  };
  return startChatServer(scripted, {}, protocol);
}
