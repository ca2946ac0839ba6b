import { el, type Props } from "./dom.ts";
import { errorText, fieldErrors } from "./error-text.ts";

/** An input with its label, and room for what is wrong with it. */
export interface FormField {
  readonly name: string;
  readonly input: HTMLInputElement;
  readonly element: HTMLElement;
  /** Empty when nothing is wrong. */
  setError(text: string): void;
}

/** What the user can put right in one field; the message is for people. */
export class FieldError extends Error {
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

/** Makes a field; `name` is also the name that the server's violations use. */
export function createField(name: string, label: string, props: Props): FormField {
  const errorId = `error-of-${name}`;
  const input = el("input", { name, ...props });
  const error = el("span", { class: "error", id: errorId, role: "alert" });
  const element = el("div", { class: "field" }, el("label", {}, el("span", { class: "caption" }, label), input), error);
  return {
    name,
    input,
    element,
    setError(text) {
      error.textContent = text;
      if (text === "") input.removeAttribute("aria-invalid");
      else input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", errorId);
    },
  };
}

/** Tells what went wrong next to the field at fault, or in `rest` when it is no field's; undefined clears all. */
export function showErrors(fields: readonly FormField[], rest: HTMLElement, cause: unknown): void {
  const found = new Map<string, string>();
  if (cause instanceof FieldError) found.set(cause.field, cause.message);
  else if (cause !== undefined) for (const [field, text] of fieldErrors(cause)) found.set(field, text);
  let placed = false;
  for (const field of fields) {
    const text = found.get(field.name) ?? "";
    field.setError(text);
    if (text !== "" && !placed) field.input.focus();
    placed ||= text !== "";
  }
  rest.textContent =
    placed || cause === undefined ? "" : cause instanceof FieldError ? cause.message : errorText(cause);
}
