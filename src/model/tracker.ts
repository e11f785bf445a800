/** Where metrics can be handed on to, as scripts/train/track.py names them. */
export const TRACKER_NAMES = ['trackio', 'wandb', 'tensorboard', 'mlflow'] as const;
export type TrackerName = (typeof TRACKER_NAMES)[number];
