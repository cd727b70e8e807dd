/** The words of the embedded world (docs/scenes.md). `python/sticflow_ml/scenes` has the same tables. */
export const SHAPES = ['circle', 'square', 'triangle', 'star', 'cross', 'ring'] as const;
export const COLORS = [
  'red',
  'green',
  'blue',
  'yellow',
  'purple',
  'orange',
  'pink',
  'white',
] as const;
export const SIZES = ['small', 'large'] as const;
export const POSITIONS = [
  'top-left',
  'top',
  'top-right',
  'left',
  'center',
  'right',
  'bottom-left',
  'bottom',
  'bottom-right',
] as const;

/** Things that no scene holds: a mention is a hallucination. */
export const THINGS = ['cloud', 'bird', 'tree', 'person', 'car', 'lamp', 'dog', 'hammer'] as const;
