import { alpacaEval } from './alpaca-eval/part.ts';
import { arenaHard } from './arena-hard/part.ts';
import { harness } from './harness/part.ts';
import { ifbench } from './ifbench/part.ts';
import { mtBench } from './mt-bench/part.ts';
import type { EvalPart } from './part.ts';
import { refusals } from './refusals/part.ts';

/** Every part, in the order in which its steps run; one imports from those before it alone. */
export const PARTS: readonly EvalPart<unknown>[] = [harness, ifbench, mtBench, alpacaEval, arenaHard, refusals];
