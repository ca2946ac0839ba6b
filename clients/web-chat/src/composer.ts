import { el } from "./dom.ts";

/** A text of the contract has at most so many bytes. */
const maxTextBytes = 16_000;
const maxHeightPx = 160;

/** The field in which a message is written. Enter sends, Shift+Enter starts a line. */
export function createComposer(onSend: (text: string) => void): { element: HTMLElement; focus: () => void } {
  const error = el("p", { class: "error", role: "alert" });
  const grow = (): void => {
    input.style.height = "auto";
    input.style.height = `${Math.min(maxHeightPx, input.scrollHeight)}px`;
  };
  const send = (): void => {
    const text = input.value.trim();
    if (text === "") return;
    if (new TextEncoder().encode(text).length > maxTextBytes) {
      error.textContent = `A message holds at most ${maxTextBytes} bytes.`;
      return;
    }
    error.textContent = "";
    onSend(text);
    input.value = "";
    grow();
  };
  const onKey = (event: Event): void => {
    const { key, shiftKey, isComposing } = event as KeyboardEvent;
    if (key !== "Enter" || shiftKey || isComposing) return;
    event.preventDefault();
    send();
  };
  const input = el("textarea", {
    rows: 1,
    placeholder: "Message",
    "aria-label": "Message",
    onKeydown: onKey,
    onInput: grow,
  });
  const submit = (event: Event): void => {
    event.preventDefault();
    send();
    input.focus();
  };
  const button = el("button", { type: "submit", class: "primary send", "aria-label": "Send" }, "➤");
  return {
    element: el("form", { class: "composer", onSubmit: submit }, error, el("div", {}, input, button)),
    focus: () => input.focus(),
  };
}
