/** Fewer points that look the same: what lies within a column of the picture cannot be told apart. */

export interface Point {
  x: number;
  y: number;
}

/** A range at a place. */
export interface Range {
  x: number;
  top: number;
  bottom: number;
}

/** Runs of points: a line is broken between them. */
export type Runs<P> = P[][];

/** The width of a column so that so many values need about so many columns; 0 if all can be kept. */
function columnFor(count: number, width: number, most: number): number {
  return count <= most ? 0 : width / most;
}

/**
 * The first, the highest, the lowest and the last point of each column (M4: Jugel and others, 2014), which draw the
 * line that all would draw.
 *
 * @param most about how many points to keep.
 */
export function thinLine(runs: Runs<Point>, width: number, most: number): Runs<Point> {
  const column = columnFor(sizeOf(runs), width, most) * 4;
  if (column === 0) return runs;
  return joinedWithin(runs, column).map((run) => columnsOf(run, column).flatMap(outline));
}

function outline(points: Point[]): Point[] {
  const byHeight = points.toSorted((a, b) => a.y - b.y);
  const kept = new Set([points[0], byHeight[0], byHeight.at(-1), points.at(-1)]);
  return points.filter((it) => kept.has(it));
}

/** The range of all ranges of each column. */
export function thinBand(runs: Runs<Range>, width: number, most: number): Runs<Range> {
  const column = columnFor(sizeOf(runs), width, most);
  if (column === 0) return runs;
  return joinedWithin(runs, column).map((run) =>
    columnsOf(run, column).map((ranges) => ({
      x: (ranges[0]!.x + ranges.at(-1)!.x) / 2,
      top: Math.min(...ranges.map((it) => it.top)),
      bottom: Math.max(...ranges.map((it) => it.bottom)),
    }))
  );
}

function sizeOf(runs: Runs<unknown>): number {
  return runs.reduce((sum, run) => sum + run.length, 0);
}

/** From this width on a gap between two ends of a line can be seen. */
const MIN_GAP = 2;

/** Runs between which there is less than a column are one if their gap could not be seen. */
function joinedWithin<P extends { x: number }>(runs: Runs<P>, column: number): Runs<P> {
  const least = Math.min(column, MIN_GAP);
  const joined: Runs<P> = [];
  for (const run of runs) {
    const last = joined.at(-1);
    if (last !== undefined && Math.abs(run[0]!.x - last.at(-1)!.x) < least) last.push(...run);
    else joined.push([...run]);
  }
  return joined;
}

/** Neighbours that lie in the same column. */
function columnsOf<P extends { x: number }>(run: P[], column: number): P[][] {
  const columns: P[][] = [];
  let current: number | undefined;
  for (const point of run) {
    const its = Math.floor(point.x / column);
    if (its === current) columns.at(-1)!.push(point);
    else columns.push([point]);
    current = its;
  }
  return columns;
}
