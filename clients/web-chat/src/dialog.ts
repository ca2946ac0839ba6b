import { el } from "./dom.ts";
import { createField, showErrors } from "./form-fields.ts";

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
  /** Does it; a rejection is shown, a FieldError next to its field, and the dialog stays. */
  readonly onSubmit: (values: ReadonlyMap<string, string>) => Promise<void>;
  /** Shown above the fields. */
  readonly content?: HTMLElement;
}

/** Opens a dialog on top of the page; it is gone when it is closed. */
export function openDialog({ title, fields, action, onSubmit, content }: DialogOptions): HTMLDialogElement {
  const error = el("p", { class: "error", role: "alert" });
  const plain = { required: true, autocomplete: "off", autocapitalize: "none" };
  const inputs = fields.map(({ name, label, maxLength }) =>
    createField(name, label, { ...plain, maxlength: maxLength }),
  );
  const submitButton = el("button", { type: "submit", class: "primary" }, action);
  const submit = async (): Promise<void> => {
    submitButton.disabled = true;
    showErrors(inputs, error, undefined);
    try {
      await onSubmit(new Map(inputs.map(({ name, input }) => [name, input.value.trim()])));
      dialog.close();
    } catch (cause) {
      showErrors(inputs, error, cause);
    } finally {
      submitButton.disabled = false;
    }
  };
  const onForm = (event: Event): void => {
    event.preventDefault();
    void submit();
  };
  const cancel = el("button", { type: "button", onClick: () => dialog.close() }, "Close");
  const buttons = el("div", { class: "buttons" }, cancel, submitButton);
  const elements = inputs.map(({ element }) => element);
  const form = el("form", { onSubmit: onForm }, el("h2", {}, title), content, ...elements, error, buttons);
  const dialog = el("dialog", { "aria-label": title, onClose: () => dialog.remove() }, form);
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
