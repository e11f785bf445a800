/** A plot as the page's script draws it. Its labels are text for a canvas, never markup. */
export type Plot = LinesPlot | BarsPlot | IntervalsPlot | RadarPlot;

interface PlotHead {
  /** what a reader who cannot see it is told */
  readonly label: string;
}

/** Curves over training steps. `marks`: steps from which an attempt went on. */
export interface LinesPlot extends PlotHead {
  readonly kind: 'lines';
  readonly series: readonly { readonly name: string; readonly points: readonly (readonly [number, number])[] }[];
  readonly marks: readonly number[];
  readonly maxX: number;
}

/** Bars over named places, upright, or lying where the names are long. */
export interface BarsPlot extends PlotHead {
  readonly kind: 'bars';
  readonly lying: boolean;
  readonly stacked: boolean;
  readonly names: readonly string[];
  readonly series: readonly { readonly name: string; readonly values: readonly (number | null)[] }[];
  readonly unit: string;
}

/** A value with its 95 % interval for each name and series. */
export interface IntervalsPlot extends PlotHead {
  readonly kind: 'intervals';
  readonly names: readonly string[];
  readonly series: readonly { readonly name: string; readonly values: readonly (PlottedValue | null)[] }[];
  readonly scale: readonly [number, number];
  readonly unit: string;
  /** where a line is drawn that values are read against, such as a win rate of one half */
  readonly reference?: number;
}

/** A value for each spoke, with the band of its 95 % interval. */
export interface RadarPlot extends PlotHead {
  readonly kind: 'radar';
  readonly spokes: readonly string[];
  readonly scale: readonly [number, number];
  readonly series: readonly { readonly name: string; readonly values: readonly (PlottedValue | null)[] }[];
}

/** Value, and the ends of its interval where one is known. */
export type PlottedValue = readonly [number, number | null, number | null];

/** Five digits, which no eye can tell from more: a curve of ten thousand points stays a tenth of a megabyte. */
export const fiveDigits = (value: number): number => Number(value.toPrecision(5));
