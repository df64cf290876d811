// What pages do beyond links and forms: the theme that somebody chose, and pictures drawn from the table beside them.
"use strict";

const root = document.documentElement;

function theme(chosen) {
  if (chosen) root.dataset.theme = chosen;
  else delete root.dataset.theme;
}

theme(localStorage.getItem("theme"));

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-theme-switch]");
  if (!button) return;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  localStorage.setItem("theme", dark ? "light" : "dark");
  theme(dark ? "light" : "dark");
  document.querySelectorAll("[data-chart]").forEach(draw);
});

// A figure with data-chart="line" or "bars" holds a table: times in the first column, a series in each other one.
function draw(figure) {
  if (typeof uPlot === "undefined") return;
  const table = figure.querySelector("table");
  const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  const rows = [...table.tBodies[0].rows];
  if (!rows.length) return;
  const columns = heads.map((_, column) =>
    rows.map((row) => {
      const cell = row.cells[column];
      const value = cell.dataset.value ?? cell.textContent.replaceAll(",", "");
      return value === "" ? null : Number(value);
    }),
  );
  const style = getComputedStyle(root);
  const colour = (name) => style.getPropertyValue(name).trim();
  const shades = [colour("--first"), colour("--bad"), colour("--good"), colour("--warn"), colour("--quiet")];
  const place = figure.querySelector(".chart");
  place.replaceChildren();
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  const bars = figure.dataset.chart === "bars" ? { paths: uPlot.paths.bars({ size: [0.7, 40] }) } : {};
  const dashes = [[], [6, 4], [2, 3], [10, 4, 2, 4], [1, 5]];
  new uPlot(
    {
      width: Math.max(260, place.clientWidth),
      height: 220,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      scales: { x: { time: true } },
      axes: [axis, { ...axis, size: 60 }],
      series: [
        { label: heads[0] },
        ...heads.slice(1).map((label, each) => ({
          label, stroke: shades[each % 5], fill: bars.paths ? shades[each % 5] : undefined, width: 2,
          dash: dashes[each % 5], points: { show: rows.length < 3 }, ...bars,
        })),
      ],
    },
    columns,
    place,
  );
}

document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-chart]").forEach(draw));
