import type { Engine } from './engine.ts';

/** Gives back the space of dropped checkpoints. A Hub with damage in it deletes nothing, and that stops no run. */
export async function reclaim({ hub, emit }: Pick<Engine, 'hub' | 'emit'>): Promise<void> {
  try {
    await hub.reclaim();
  } catch (error) {
    emit({
      type: 'warning',
      message: `Cannot give back the space of old checkpoints: ${error instanceof Error ? error.message : error}`,
    });
  }
}
