import { el } from "./dom.ts";
import { initials } from "./format.ts";

const hues = 12;

/** A round picture made of initials; `online` adds a dot. */
export function createAvatar(name: string, id: string, online: boolean): HTMLElement {
  let sum = 0;
  for (const letter of id) sum = (sum * 31 + letter.charCodeAt(0)) % 9_973;
  const dot = online ? el("span", { class: "dot", role: "img", "aria-label": "online" }) : undefined;
  return el("span", { class: `avatar hue-${sum % hues}` }, el("span", { "aria-hidden": "true" }, initials(name)), dot);
}
