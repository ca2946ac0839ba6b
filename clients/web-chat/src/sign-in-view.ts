import { register, signIn, type Tokens } from "@chappe/sdk/src/index.ts";
import type { ChatConfig } from "./chat-config.ts";
import { el } from "./dom.ts";
import { errorText } from "./error-text.ts";

/** What the sign-in form needs. */
export interface SignInOptions {
  readonly url: string;
  readonly config: ChatConfig;
  /** Why the user is here again; empty at first. */
  readonly notice: string;
  readonly onSignedIn: (tokens: Tokens) => void;
}

function field(label: string, input: HTMLInputElement): HTMLElement {
  return el("label", { class: "field" }, el("span", {}, label), input);
}

/** Name and password, for an account that is there or a new one. */
export function createSignInView({ url, config, notice, onSignedIn }: SignInOptions): HTMLElement {
  const limits = { required: true, maxlength: 64 };
  const name = el("input", { name: "name", autocomplete: "username", autocapitalize: "none", ...limits });
  const password = el("input", { name: "password", type: "password", autocomplete: "current-password", ...limits });
  const error = el("p", { class: "error", role: "alert" }, notice);
  const enter = el("button", { type: "submit", class: "primary" }, "Sign in");
  const create = el("button", { type: "button", onClick: () => void attempt(register) }, "Create an account");
  const attempt = async (how: typeof signIn): Promise<void> => {
    if (!form.reportValidity()) return;
    for (const button of [enter, create]) button.disabled = true;
    error.textContent = "";
    try {
      onSignedIn(await how({ url, name: name.value.trim(), password: password.value }));
    } catch (cause) {
      error.textContent = errorText(cause);
    } finally {
      for (const button of [enter, create]) button.disabled = false;
    }
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    void attempt(signIn);
  };
  const form = el(
    "form",
    { class: "card", onSubmit: submit },
    el("h1", {}, "Chappe"),
    field("Name", name),
    field("Password", password),
    error,
    enter,
    create,
  );
  if (config.demoNames.length > 0) {
    const buttons = config.demoNames.map((demo) => {
      const useDemo = (): void => {
        name.value = demo;
        password.value = config.demoPassword;
        void attempt(signIn);
      };
      return el("button", { type: "button", onClick: useDemo }, demo);
    });
    form.append(el("div", { class: "demo" }, el("span", {}, "Demo accounts"), ...buttons));
  }
  return el("main", { class: "sign-in" }, form);
}
