import type { ChappeClient } from "@chappe/sdk/src/index.ts";
import { el } from "./dom.ts";
import { errorText } from "./error-text.ts";

/** A button that hides the user from others' presence, and shows what the server agreed to last. */
export function createInvisibleSwitch(client: Pick<ChappeClient, "setInvisible">): HTMLElement {
  let invisible = false;
  const show = (title: string): void => {
    button.setAttribute("aria-pressed", String(invisible));
    button.title = title;
  };
  const toggle = async (): Promise<void> => {
    button.disabled = true;
    try {
      await client.setInvisible(!invisible);
      invisible = !invisible;
      show(invisible ? "Others see you as offline" : "Others see when you are online");
    } catch (error) {
      show(errorText(error));
    } finally {
      button.disabled = false;
    }
  };
  const button = el("button", { type: "button", class: "invisible", onClick: () => void toggle() }, "Invisible");
  show("Others see when you are online");
  return button;
}
