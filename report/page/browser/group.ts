/** What a group does with its charts. */
export interface Grouped {
  /** Shows what the group shows now. */
  show(): void;
  /** Puts the cursor at a place of x, or takes it away. */
  pointAt(x: number | null): void;
  /** Draws again, with the colours that the page has now. */
  redraw(): void;
}

/** Charts with the same axis x: what one shows of it, all do, and where one has its cursor, all have. */
export class ChartGroup {
  readonly charts: Grouped[] = [];
  readonly full: readonly [from: number, to: number];
  #view: readonly [from: number, to: number];

  constructor(from: number, to: number) {
    this.full = this.#view = [from, to];
  }

  /** The part of the axis that is shown. */
  get view(): readonly [from: number, to: number] {
    return this.#view;
  }

  get isZoomed(): boolean {
    return this.#view !== this.full;
  }

  /** Shows a part of the axis. */
  zoom(from: number, to: number): void {
    const [first, last] = this.full;
    const view = [Math.max(from, first), Math.min(to, last)] as const;
    // Nearer than this, labels would all read the same.
    if (!(view[1] - view[0] > (last - first) * 1e-6)) return;
    this.#view = view[0] === first && view[1] === last ? this.full : view;
    for (const chart of this.charts) chart.show();
  }

  reset(): void {
    this.zoom(...this.full);
  }

  /** Puts the cursor of all charts but one at a place, or takes it away. */
  pointAt(x: number | null, from?: Grouped): void {
    for (const chart of this.charts) if (chart !== from) chart.pointAt(x);
  }
}

/** What the page gets of this file: all of it. */
export const GROUP = [ChartGroup];
