/** A coordinate with at most one decimal, as short as it can be. */
export function coordinate(value: number): string {
  return tenths(Math.round(value * 10));
}

function tenths(count: number): string {
  return String(count / 10).replace(/^(-?)0\./, "$1.");
}

/** A path's data, made of relative commands; its rounding does not add up. */
export class PathData {
  #text = "";
  /** Where the pen is, in tenths. */
  #x = 0;
  #y = 0;

  get text(): string {
    return this.#text;
  }

  moveTo(x: number, y: number): this {
    const [dx, dy] = this.#advance(x, y);
    // The first command of a path is absolute whatever it says.
    this.#text += `m${joined(dx, dy)}`;
    return this;
  }

  lineTo(x: number, y: number): this {
    const [dx, dy] = this.#advance(x, y);
    if (dy === 0) this.#text += dx === 0 ? "" : `h${tenths(dx)}`;
    else this.#text += dx === 0 ? `v${tenths(dy)}` : `l${joined(dx, dy)}`;
    return this;
  }

  /** A dot, if the ends of strokes are round. */
  dot(x: number, y: number): this {
    this.moveTo(x, y);
    this.#text += "h0";
    return this;
  }

  rectangle(x: number, y: number, width: number, height: number): this {
    return this.moveTo(x, y).lineTo(x + width, y).lineTo(x + width, y + height).lineTo(x, y + height).close(
      x,
      y,
    );
  }

  /** Closes what began at a point. */
  close(x: number, y: number): this {
    this.#advance(x, y);
    this.#text += "z";
    return this;
  }

  #advance(x: number, y: number): [number, number] {
    const [toX, toY] = [Math.round(x * 10), Math.round(y * 10)];
    const by: [number, number] = [toX - this.#x, toY - this.#y];
    [this.#x, this.#y] = [toX, toY];
    return by;
  }
}

function joined(dx: number, dy: number): string {
  return `${tenths(dx)}${dy < 0 ? "" : " "}${tenths(dy)}`;
}
