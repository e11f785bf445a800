import { aif } from './aif/stage.ts';
import { ddpo } from './ddpo/stage.ts';
import { dsft } from './dsft/stage.ts';
import { evaluation } from './eval/stage.ts';
import { exam } from './exam/stage.ts';
import type { StageModule } from './module.ts';
import { setup } from './setup/stage.ts';

/** Every stage, in the order in which they run. */
export const STAGES: readonly StageModule[] = [setup, dsft, aif, ddpo, exam, evaluation];
