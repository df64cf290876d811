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
  drawAll();
});

const drawAll = () => document.querySelectorAll("[data-chart]").forEach(draw);

// Times as pages have them: of a long span the days, of a short one the time of the day.
const DAY_S = 86400;
const WHOLE = [1, 2, 5].flatMap((step) => [...Array(12).keys()].map((zeros) => step * 10 ** zeros)).sort((one, other) => one - other);

function times(_plot, splits, _axis, _space, step) {
  return splits.map((seconds) => {
    const moment = new Date(seconds * 1000);
    if (step >= DAY_S) return moment.toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
    return moment.toISOString().slice(11, step >= 60 ? 16 : 19);
  });
}

// A figure with data-chart holds a table in its details: times in the first column, a series in each other one.
function draw(figure) {
  if (typeof uPlot === "undefined") return;
  const table = figure.querySelector("details table");
  const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  const rows = [...table.tBodies[0].rows];
  if (!rows.length || figure.hidden) return;
  const columns = heads.map((_, column) =>
    rows.map((row) => {
      const cell = row.cells[column];
      const value = cell.dataset.value ?? cell.textContent.replaceAll(",", "");
      return value === "" ? null : Number(value);
    }),
  );
  const place = figure.querySelector(".chart");
  place.replaceChildren();
  // A canvas knows none of our names for colours, so an element is asked what each comes to in this theme.
  const probe = place.appendChild(document.createElement("span"));
  const colour = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const shades = [colour("--first"), colour("--bad"), colour("--good"), colour("--warn"), colour("--quiet")];
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") } };
  const whole = columns.slice(1).every((column) => column.every((value) => Number.isInteger(value)));
  const dashes = [[], [6, 4], [2, 3], [10, 4, 2, 4], [1, 5]];
  new uPlot(
    {
      width: Math.max(260, place.clientWidth),
      height: 220,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      scales: { x: { time: true } },
      axes: [{ ...axis, values: times }, { ...axis, size: 60, ...(whole ? { incrs: WHOLE } : {}) }],
      legend: { live: false },
      series: [
        { label: heads[0] },
        ...heads.slice(1).map((label, each) => ({
          label, stroke: shades[each % 5], width: 2, dash: dashes[each % 5], points: { show: rows.length < 3 },
        })),
      ],
    },
    columns,
    place,
  );
  probe.remove();
}

// A figure with data-follows is drawn of what the page is told of that run: a point each time that it has moved.
const POINTS_MAX = 600;

function follow(figure) {
  const place = document.querySelector(".run");
  const body = figure.querySelector("tbody");
  const offer = () => {
    if (place.nextElementSibling?.matches(".anew")) return;
    const link = document.createElement("a");
    link.className = "button anew";
    link.href = location.pathname;
    link.textContent = "See what came of it";
    place.after(link);
  };
  const note = () => {
    const { at, done } = place.querySelector("[data-done]")?.dataset ?? {};
    if (done !== undefined && !place.querySelector("progress")) offer();
    const last = body.rows[body.rows.length - 1];
    if (!at || last?.cells[1].dataset.value === done) return;
    const second = String(Date.parse(at) / 1000);
    // Times are told in whole seconds: of several points in one the last counts.
    if (last?.cells[0].dataset.value === second) last.remove();
    // Of a long run every second point is left out, so that the rest still reaches from its beginning to its end.
    if (body.rows.length >= POINTS_MAX) [...body.rows].filter((_, index) => index % 2).forEach((row) => row.remove());
    const row = body.insertRow();
    const head = row.appendChild(document.createElement("th"));
    head.scope = "row";
    head.dataset.value = second;
    head.textContent = at.slice(11, 19);
    const cell = row.insertCell();
    cell.className = "number";
    cell.dataset.value = done;
    cell.textContent = Number(done).toLocaleString("en-GB");
    figure.hidden = body.rows.length < 2;
    if (!figure.hidden) draw(figure);
  };
  note();
  new MutationObserver(note).observe(place, { childList: true, subtree: true });
}
document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-follows]").forEach(follow));

// A file that is too large is told of before it is sent, and a form that takes a while says so and is sent once.
document.addEventListener("change", (event) => {
  const input = event.target;
  if (!input.dataset.most) return;
  const large = [...input.files].some((file) => file.size + 65536 > Number(input.dataset.most));
  input.setCustomValidity(large ? "This file is too large for a page; import it by the command line." : "");
  input.reportValidity();
});
document.addEventListener("submit", (event) => {
  const told = event.target.dataset.sending;
  if (!told) return;
  if (event.target.getAttribute("aria-busy")) return event.preventDefault();
  event.target.setAttribute("aria-busy", "true");
  const line = event.target.appendChild(document.createElement("p"));
  line.className = "careful sending";
  line.setAttribute("role", "status");
  line.textContent = told;
});
// Who comes back to the page finds it as it was before it was sent.
addEventListener("pageshow", () => {
  document.querySelectorAll("form[aria-busy]").forEach((form) => form.removeAttribute("aria-busy"));
  document.querySelectorAll(".sending").forEach((line) => line.remove());
});

document.addEventListener("DOMContentLoaded", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
