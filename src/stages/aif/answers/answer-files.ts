import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { ZephyrError } from '../../../errors.ts';

/** A line of a generate job's `completions.jsonl`, as far as it is read here. */
const answerLine = z.looseObject({
  prompt_id: z.string(),
  sample: z.int(),
  text: z.string(),
  finish_reason: z.string(),
  tokens: z.int().nullish(),
});
export type AnswerLine = z.infer<typeof answerLine>;

/** The answers of a model that ran in a job, found by prompt; the texts stay on the disk. */
export interface AnswerFile {
  /** The first answer to a prompt. */
  read(promptId: string): Promise<AnswerLine | undefined>;
  close(): Promise<void>;
}

const CHUNK = 1 << 20;
const NAME = 'completions.jsonl';

export async function openAnswers(folder: string): Promise<AnswerFile> {
  const file = await open(join(folder, NAME)).catch((error: unknown) => {
    throw new ZephyrError(`Cannot read the answers of a model: expected ${NAME} in "${folder}"`, { cause: error });
  });
  const places = new Map<string, { readonly start: number; readonly length: number }>();
  for await (const { bytes, start } of linesOf(file)) {
    const { prompt_id, sample } = lineIn(bytes);
    if (sample === 0) places.set(prompt_id, { start, length: bytes.length });
  }
  return {
    async read(promptId) {
      const place = places.get(promptId);
      if (place === undefined) return undefined;
      const bytes = Buffer.alloc(place.length);
      await file.read(bytes, 0, place.length, place.start);
      return lineIn(bytes);
    },
    close: () => file.close(),
  };
}

async function* linesOf(file: FileHandle): AsyncGenerator<{ readonly bytes: Buffer; readonly start: number }> {
  let start = 0;
  let rest: Buffer = Buffer.alloc(0);
  for (let at = 0; ; ) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(CHUNK), 0, CHUNK, at);
    at += bytesRead;
    rest = Buffer.concat([rest, buffer.subarray(0, bytesRead)]);
    let from = 0;
    for (let newline = rest.indexOf(10); newline >= 0; newline = rest.indexOf(10, from)) {
      if (newline > from) yield { bytes: rest.subarray(from, newline), start: start + from };
      from = newline + 1;
    }
    start += from;
    rest = rest.subarray(from);
    if (bytesRead === 0) break;
  }
  if (rest.length > 0) yield { bytes: rest, start };
}

function lineIn(bytes: Buffer): AnswerLine {
  return answerLine.parse(JSON.parse(bytes.toString()));
}
