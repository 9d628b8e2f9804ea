/// <reference lib="dom" />
import type { Plot } from "../model.ts";
import { Chart } from "./chart.ts";
import { ChartGroup } from "./group.ts";
import { acrossOf, placed } from "./values.ts";

/** Brings a page to life. What fails leaves its figure as it was: a picture. */
export function start(): void {
  const groups = new Map<string, ChartGroup>();
  const plots = (JSON.parse(textOf("plots")) as Plot[]).map(placed);
  const acrossTime = plots.filter(({ x }) => x.quantity === "time").map(acrossOf).filter((it) => it !== null);
  if (acrossTime.length > 0) {
    const [from, to] = [
      Math.min(...acrossTime.map(([it]) => it)),
      Math.max(...acrossTime.map(([, it]) => it)),
    ];
    groups.set("time", new ChartGroup(from, to));
  }
  const figures = [...document.querySelectorAll("figure")];
  makeInTime(figures, (figure) => {
    const i = figures.indexOf(figure);
    const plot = plots[i]!;
    const across = acrossOf(plot);
    if (across === null) return;
    try {
      new Chart(figure, plot, groups.get(plot.x.quantity) ?? ownGroup(groups, i, across));
    } catch (error) {
      figure.querySelector(".chart")?.remove();
      reportError(error);
    }
  });
  const redraw = () => [...groups.values()].forEach(({ charts }) => charts.forEach((it) => it.redraw()));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.querySelectorAll<HTMLElement>(".scripted").forEach((it) => it.hidden = false);
  document.getElementById("save")?.addEventListener("click", save);
}

/** Makes the charts of figures near the viewport as soon as they are, those of others one by one when there is time. */
function makeInTime(figures: HTMLElement[], make: (figure: HTMLElement) => void): void {
  const waiting = new Set(figures);
  for (const figure of waiting) figure.classList.add("waiting");
  const makeOne = (figure: Element) => {
    if (!waiting.delete(figure as HTMLElement)) return;
    observer.unobserve(figure);
    figure.classList.remove("waiting");
    make(figure as HTMLElement);
  };
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) if (isIntersecting) makeOne(target);
  }, { rootMargin: "50%" });
  for (const figure of waiting) observer.observe(figure);
  // Not every browser tells when it has time.
  const whenIdle = (act: () => void) =>
    "requestIdleCallback" in globalThis ? requestIdleCallback(act) : setTimeout(act, 100);
  const next = () => {
    const [figure] = waiting;
    if (figure === undefined) return;
    makeOne(figure);
    whenIdle(next);
  };
  whenIdle(next);
}

function ownGroup(groups: Map<string, ChartGroup>, i: number, across: [number, number]): ChartGroup {
  const group = new ChartGroup(...across);
  groups.set(String(i), group);
  return group;
}

function textOf(id: string): string {
  return document.getElementById(id)?.textContent ?? "";
}

/** Saves the run's JSON, which the page carries, as a file. */
function save(): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([textOf("run")], { type: "application/json" }));
  link.download = document.getElementById("run")!.dataset.name!;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** What the page gets of this file: all of it. */
export const START = [start, makeInTime, ownGroup, textOf, save];
