/// <reference lib="dom" />
import type { Layer, Plot } from "../model.ts";
import { labelOf } from "./axes.ts";
import { colourName, shadesOf } from "./shades.ts";
import { reading } from "./values.ts";

/** The names of a chart's layers, each a button that hides it, with what the layer shows where the cursor is. */
export class Legend {
  readonly #plot: Plot;
  readonly #readings = new Map<Layer, HTMLElement>();
  readonly #hidden = new Set<Layer>();

  /** @param changed called when a layer is hidden or shown again. */
  constructor(box: HTMLElement, plot: Plot, changed: () => void) {
    this.#plot = plot;
    const list = element("ul", "legend", box);
    for (const layer of plot.layers) {
      const button = element("button", "", element("li", "", list));
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      const colour = layer.kind === "heat" ? "" : colourName(layer.colour);
      if (layer.kind !== "heat") element("span", `key ${layer.kind} ${colour}`, button);
      element("span", "name", button).textContent = layer.name;
      if (layer.kind === "heat") addShades(layer, button);
      this.#readings.set(layer, element("span", "reading", button));
      button.addEventListener("click", () => {
        const isShown = this.#hidden.delete(layer);
        if (!isShown) this.#hidden.add(layer);
        button.setAttribute("aria-pressed", String(isShown));
        changed();
      });
    }
  }

  /** The layers that are not hidden. */
  get shown(): Layer[] {
    return this.#plot.layers.filter((it) => !this.#hidden.has(it));
  }

  /** What is shown where the cursor is, in words. */
  get text(): string {
    const shown = this.shown.filter((it) => this.#readings.get(it)!.textContent !== "");
    return shown.map((it) => `${it.name} ${this.#readings.get(it)!.textContent}`).join(", ");
  }

  /**
   * Shows what is at a place; nothing if there is none.
   *
   * @param slack how far from the place it may be.
   */
  read(at: { x: number; y: number } | null, slack: number): void {
    for (const [layer, shown] of this.#readings) {
      shown.textContent = at === null ? "" : reading(layer, this.#plot, at, slack);
    }
  }
}

/** A swatch for each shade of a heat map, with the least count that has it. */
function addShades(heat: Extract<Layer, { kind: "heat" }>, parent: HTMLElement): void {
  const shades = shadesOf(heat);
  const areAll = shades.every(({ least }, i) => least === i + 1);
  for (const { least, class: shade } of shades) {
    const entry = element("span", "shade", parent);
    element("span", `key ${shade}`, entry);
    element("span", "", entry).textContent = labelOf(least, "count") + (areAll ? "" : "+");
  }
}

/** A new element at the end of another. */
export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  classes: string,
  parent?: HTMLElement,
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  if (classes !== "") made.className = classes;
  parent?.append(made);
  return made;
}

/** What the page gets of this file: all of it. */
export const LEGEND = [Legend, addShades, element];
