import { el } from "./dom.ts";
import { errorText } from "./error-text.ts";

/** A field of a dialog. */
export interface DialogField {
  readonly name: string;
  readonly label: string;
  readonly maxLength: number;
}

/** What a dialog asks for. */
export interface DialogOptions {
  readonly title: string;
  readonly fields: readonly DialogField[];
  readonly action: string;
  /** Does it; a rejection is shown and the dialog stays. */
  readonly onSubmit: (values: ReadonlyMap<string, string>) => Promise<void>;
  /** Shown above the fields. */
  readonly content?: HTMLElement;
}

/** Opens a dialog on top of the page; it is gone when it is closed. */
export function openDialog({ title, fields, action, onSubmit, content }: DialogOptions): HTMLDialogElement {
  const error = el("p", { class: "error", role: "alert" });
  const inputs = fields.map(({ name, maxLength }) =>
    el("input", { name, required: true, maxlength: maxLength, autocomplete: "off", autocapitalize: "none" }),
  );
  const submitButton = el("button", { type: "submit", class: "primary" }, action);
  const submit = async (): Promise<void> => {
    submitButton.disabled = true;
    error.textContent = "";
    try {
      await onSubmit(new Map(inputs.map((input) => [input.name, input.value.trim()])));
      dialog.close();
    } catch (cause) {
      error.textContent = cause instanceof UserError ? cause.message : errorText(cause);
    } finally {
      submitButton.disabled = false;
    }
  };
  const onForm = (event: Event): void => {
    event.preventDefault();
    void submit();
  };
  const labels = inputs.map((input, i) => el("label", { class: "field" }, el("span", {}, fields[i]!.label), input));
  const cancel = el("button", { type: "button", onClick: () => dialog.close() }, "Close");
  const buttons = el("div", { class: "buttons" }, cancel, submitButton);
  const form = el("form", { onSubmit: onForm }, el("h2", {}, title), content, ...labels, error, buttons);
  const dialog = el("dialog", { "aria-label": title, onClose: () => dialog.remove() }, form);
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/** What the user can put right; the message is for people. */
export class UserError extends Error {}
