/// <reference lib="dom" />
import type UPlot from "uplot";
import type { Plot } from "../model.ts";
import { labelOf, valueAt } from "./axes.ts";
import type { ChartGroup, Grouped } from "./group.ts";
import { element, Legend } from "./legend.ts";
import { drawLayers } from "./pen.ts";
import { distributionOf, propertyOf, uplotAxis } from "./uplot_axis.ts";
import { snapped, uprightOf } from "./values.ts";

/** What the page's script has in front. */
declare const uPlot: typeof UPlot;

/**
 * A chart in the place of a figure's SVG. uPlot has the axes, the cursor and the selection; the layers are drawn over its
 * grid, since their places differ, which those of its series must not.
 */
export class Chart implements Grouped {
  readonly #plot: Plot;
  readonly #group: ChartGroup;
  readonly #legend: Legend;
  /** Says where the cursor is. */
  readonly #where: HTMLElement;
  readonly #reset: HTMLButtonElement;
  /** Has the axes, and the keyboard's focus. */
  readonly #field: HTMLElement;
  /** Says to a screen reader what is there, when keys have moved the cursor. */
  readonly #spoken: HTMLElement;
  readonly #uplot: UPlot;

  constructor(figure: HTMLElement, plot: Plot, group: ChartGroup) {
    this.#plot = plot;
    this.#group = group;
    const box = element("div", "chart");
    this.#where = element("span", "where");
    this.#reset = element("button", "reset");
    this.#reset.type = "button";
    this.#reset.textContent = "Reset zoom";
    this.#reset.hidden = true;
    this.#reset.addEventListener("click", () => group.reset());
    this.#legend = new Legend(box, plot, () => this.show());
    element("div", "unit", box).textContent = plot.y.label;
    this.#field = element("div", "field", box);
    this.#field.tabIndex = 0;
    this.#field.setAttribute("role", "group");
    this.#field.setAttribute(
      "aria-label",
      [`${plot.title}.`, plot.note, plot.description].filter((it) => it).join(" "),
    );
    this.#spoken = element("div", "unseen", box);
    this.#spoken.setAttribute("role", "status");
    figure.append(box);
    this.#uplot = new uPlot(this.#options(), [[...group.full], [1, 1]], this.#field);
    figure.querySelector(".head")!.append(this.#where, this.#reset);
    this.#listen();
    group.charts.push(this);
    figure.classList.add("live");
  }

  redraw(): void {
    this.#uplot.redraw(false, true);
  }

  /** Shows what the group shows now, and the layers that are not hidden. */
  show(): void {
    const [min, max] = this.#group.view;
    this.#reset.hidden = !this.#group.isZoomed;
    this.#uplot.setScale("x", { min, max });
  }

  pointAt(x: number | null): void {
    const left = x === null ? -10 : this.#uplot.valToPos(x, "x");
    this.#uplot.setCursor({ left, top: x === null ? -10 : 0 }, false);
    this.#read(x, NaN);
  }

  #options(): UPlot.Options {
    const { x, y } = this.#plot;
    const group = this.#group;
    return {
      ...this.#size(),
      legend: { show: false },
      padding: [8, 28, 0, 0],
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false },
        // Of itself it would show all of its own data, and nothing of the others'.
        bind: { dblclick: () => () => (group.reset(), null) },
      },
      scales: {
        x: { time: false, distr: distributionOf(x), range: () => [...group.view] },
        y: { distr: distributionOf(y), range: () => uprightOf(this.#legend.shown, y, ...group.view) },
      },
      series: [{}, { paths: () => null, points: { show: false } }],
      axes: [uplotAxis(x, "x"), uplotAxis(y, "y")],
      hooks: {
        draw: [(it) => this.#draw(it)],
        setCursor: [(it) => {
          const { left = -10, top = -10 } = it.cursor;
          const x = left < 0 ? null : it.posToVal(left, "x");
          group.pointAt(x, this);
          this.#read(x, it.posToVal(top, "y"));
        }],
        setSelect: [(it) => {
          const { left, width } = it.select;
          if (width >= 4) group.zoom(it.posToVal(left, "x"), it.posToVal(left + width, "x"));
          it.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        }],
      },
    };
  }

  #size(): { width: number; height: number } {
    const width = Math.max(this.#field.clientWidth, 200);
    return { width, height: width < 600 ? 240 : 300 };
  }

  #draw(it: UPlot): void {
    const isLog = distributionOf(this.#plot.y) === 3;
    drawLayers(this.#legend.shown, this.#plot, {
      ctx: it.ctx,
      ratio: devicePixelRatio,
      area: it.bbox,
      x: (place) => it.valToPos(place, "x", true),
      // On a logarithmic axis, what is not above 0 lies at its beginning.
      y: (place) => isLog && place <= 0 ? it.bbox.top + it.bbox.height : it.valToPos(place, "y", true),
      colour: propertyOf,
    });
  }

  /** Says what is at a place, or at the point that is nearest to it. */
  #read(place: number | null, y: number): void {
    const x = place === null ? null : snapped(this.#plot, place);
    const { quantity, label } = this.#plot.x;
    const [from, to] = this.#group.view;
    const pixel = (to - from) / this.#uplot.over.clientWidth;
    // Time is told as finely as a pixel is wide.
    const fine = quantity === "time" ? { step: 10 ** Math.floor(Math.log10(pixel)), most: to } : {};
    this.#where.textContent = x === null ? "" : `${label}: ${labelOf(valueAt(quantity, x), quantity, fine)}`;
    this.#legend.read(x === null ? null : { x, y }, 3 * pixel);
  }

  #listen(): void {
    new ResizeObserver(() => {
      const size = this.#size();
      if (size.width !== this.#uplot.width) this.#uplot.setSize(size);
    }).observe(this.#field);
    this.#field.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey || !this.#press(event.key, event.shiftKey)) return;
      event.preventDefault();
      queueMicrotask(() => {
        this.#spoken.textContent = [this.#where.textContent, this.#legend.text].filter((it) => it).join(", ");
      });
    });
    this.#field.addEventListener("blur", () => this.#group.pointAt(null));
  }

  /** Does what a key stands for; returns whether it stands for anything. */
  #press(key: string, isLarge: boolean): boolean {
    const it = this.#uplot;
    const { clientWidth: width, clientHeight: height } = it.over;
    const left = it.cursor.left ?? -10;
    const at = left < 0 ? width / 2 : left;
    const move = (to: number) =>
      it.setCursor({ left: Math.min(Math.max(to, 0), width), top: height / 2 }, true);
    const step = (isLarge ? 0.1 : 0.01) * width;
    const zoom = (factor: number) => {
      const x = it.posToVal(at, "x");
      this.#group.zoom(it.posToVal(at - at * factor, "x"), it.posToVal(at + (width - at) * factor, "x"));
      // uPlot draws in a microtask of its own.
      queueMicrotask(() => move(it.valToPos(x, "x")));
    };
    const actions: Record<string, () => void> = {
      "ArrowLeft": () => move(at - step),
      "ArrowRight": () => move(at + step),
      "Home": () => move(0),
      "End": () => move(width),
      "+": () => zoom(0.5),
      "=": () => zoom(0.5),
      "-": () => zoom(2),
      "Escape": () => this.#group.reset(),
      "0": () => this.#group.reset(),
    };
    const action = actions[key];
    action?.();
    return action !== undefined;
  }
}

/** What the page gets of this file: all of it. */
export const CHART = [Chart];
