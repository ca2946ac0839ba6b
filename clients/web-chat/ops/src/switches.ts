import { el } from "../../src/dom.ts";
import type { SwitchState } from "./ops-data.ts";

const texts: Readonly<Record<string, string>> = {
  refuseAppends: "The message log refuses appends: sends are answered UNAVAILABLE, clients keep them and try again",
  delayDeliveries: "Deliveries reach connections 1.5 s late, in their order",
};
const onForMs = 10_000;

/** A failure that can be turned on; `set` is asked for it and for how long. */
export function renderSwitch({ name, leftMs }: SwitchState, set: (name: string, forMs: number) => void): HTMLElement {
  const isOn = leftMs > 0;
  const label = isOn ? `On for ${Math.ceil(leftMs / 1_000)} s: stop` : "Fail for 10 s";
  return el(
    "div",
    { class: "switch" },
    el("span", isOn ? { class: "bad" } : {}, texts[name] ?? name),
    el("button", { type: "button", "data-switch": name, onClick: () => set(name, isOn ? 0 : onForMs) }, label),
  );
}
