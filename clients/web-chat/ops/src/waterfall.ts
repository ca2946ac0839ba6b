import { el } from "../../src/dom.ts";
import type { TracedHop, TraceReport } from "./ops-data.ts";

const svgSpace = "http://www.w3.org/2000/svg";
const fullWidth = 100;
const leastWidth = 0.8;

/** A bar from `start` to `end` of `all`, as a picture: attributes need no style of their own. */
function bar(start: number, end: number, all: number): SVGElement {
  const svg = document.createElementNS(svgSpace, "svg");
  svg.setAttribute("viewBox", `0 0 ${fullWidth} 10`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const rect = document.createElementNS(svgSpace, "rect");
  const scale = fullWidth / Math.max(all, 0.001);
  const width = Math.max(leastWidth, (end - start) * scale);
  rect.setAttribute("x", String(Math.min(start * scale, fullWidth - width)));
  rect.setAttribute("width", String(width));
  rect.setAttribute("height", "10");
  svg.append(rect);
  return svg;
}

/** An acknowledgement covers all before it, so that each later one is there again: only what is new counts. */
const firstOnly = (hops: readonly TracedHop[]): TracedHop[] => {
  const seen = new Set<string>();
  return hops.filter(({ hop, note }) => hop !== "device ack" || (!seen.has(note) && seen.add(note)));
};
const endOf = ({ afterMs, tookMs = 0 }: TracedHop): number => afterMs + tookMs;
const ms = (value: number | undefined): string => (value === undefined ? "" : value.toFixed(1));

/** What is known of a message: its state, and each hop with a bar at its time. */
export function renderTrace(id: string, { state, reason, seq, hops: all }: TraceReport): HTMLElement {
  const hops = firstOnly(all);
  const endMs = Math.max(0, ...hops.map(endOf));
  const rows = hops.map((hop) =>
    el(
      "tr",
      {},
      el("td", {}, hop.hop),
      el("td", { class: "number" }, ms(hop.afterMs)),
      el("td", { class: "number wide" }, ms(hop.tookMs)),
      el("td", { class: "wide" }, hop.note || hop.instance),
      el("td", {}, bar(hop.afterMs, endOf(hop), endMs)),
    ),
  );
  const head = el(
    "tr",
    {},
    el("th", {}, "hop"),
    el("th", { class: "number" }, "after ms"),
    el("th", { class: "number wide" }, "took ms"),
    el("th", { class: "wide" }, ""),
    el("th", {}, ""),
  );
  const place = seq > 0 ? `, seq ${seq}` : "";
  const why = reason === "" ? "" : ` (${reason})`;
  return el(
    "div",
    { class: "hops" },
    el("p", { role: "status" }, el("strong", {}, `${state}${place}`), `${why} `, el("code", { class: "soft" }, id)),
    ...(hops.length === 0 ? [] : [el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows))]),
  );
}
