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
  document.querySelectorAll("figure").forEach((figure, i) => {
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
export const START = [start, ownGroup, textOf, save];
