import { register, signIn, type Tokens } from "@chappe/sdk/src/index.ts";
import type { ChatConfig } from "./chat-config.ts";
import { el } from "./dom.ts";
import { createField, showErrors } from "./form-fields.ts";

/** What the sign-in form needs. */
export interface SignInOptions {
  readonly url: string;
  readonly config: ChatConfig;
  /** Why the user is here again; empty at first. */
  readonly notice: string;
  readonly onSignedIn: (tokens: Tokens) => void;
}

const maxNameLength = 64;
const maxPasswordLength = 256;

/** Name and password, for an account that is there or a new one. */
export function createSignInView({ url, config, notice, onSignedIn }: SignInOptions): HTMLElement {
  const plain = { required: true, autocapitalize: "none", spellcheck: "false" };
  const name = createField("name", "Name", { ...plain, autocomplete: "username", maxlength: maxNameLength });
  const secret = { type: "password", autocomplete: "current-password", maxlength: maxPasswordLength };
  const password = createField("password", "Password", { ...plain, ...secret });
  const error = el("p", { class: "error", role: "alert" }, notice);
  const enter = el("button", { type: "submit", class: "primary" }, "Sign in");
  const create = el("button", { type: "button", onClick: () => void attempt(register) }, "Create an account");
  const fields = [name, password];
  const attempt = async (how: typeof signIn): Promise<void> => {
    if (!form.reportValidity()) return;
    for (const button of form.querySelectorAll("button")) button.disabled = true;
    showErrors(fields, error, undefined);
    try {
      onSignedIn(await how({ url, name: name.input.value.trim(), password: password.input.value }));
    } catch (cause) {
      showErrors(fields, error, cause);
    } finally {
      for (const button of form.querySelectorAll("button")) button.disabled = false;
    }
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    void attempt(signIn);
  };
  const enterAs = (demo: string): void => {
    name.input.value = demo;
    password.input.value = config.demoPassword;
    void attempt(signIn);
  };
  const heading = el("h1", {}, el("img", { src: "icon.svg", alt: "", width: 28, height: 28 }), "Chappe");
  const rows = [heading, name.element, password.element, error, enter, create];
  const form = el("form", { class: "card", onSubmit: submit }, ...rows, demoRow(config.demoNames, enterAs));
  return el("main", { class: "sign-in" }, form);
}

/** One button for each demo account; undefined when there are none. */
function demoRow(names: readonly string[], enterAs: (name: string) => void): HTMLElement | undefined {
  if (names.length === 0) return undefined;
  const buttons = names.map((name) => el("button", { type: "button", onClick: () => enterAs(name) }, name));
  return el("div", { class: "demo" }, el("span", {}, "Demo: sign in as"), ...buttons);
}
