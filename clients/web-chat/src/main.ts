import { connect, createTokenSource, signOut, type Tokens } from "@chappe/sdk/src/index.ts";
import { type ChatConfig, loadChatConfig } from "./chat-config.ts";
import { ChatModel } from "./chat-model.ts";
import { createChatView } from "./chat-view.ts";
import { errorText } from "./error-text.ts";
import { loadSession, saveSession } from "./saved-session.ts";
import { createSignInView } from "./sign-in-view.ts";

const url = location.origin;
const app = document.getElementById("app")!;

function showSignIn(config: ChatConfig, notice: string): void {
  document.title = "Chappe";
  document.body.classList.remove("reading");
  const onSignedIn = (tokens: Tokens): void => {
    saveSession(sessionStorage, tokens);
    void showChat(config, tokens);
  };
  app.replaceChildren(createSignInView({ url, config, notice, onSignedIn }));
}

/** Connects and shows the chat until the session ends. */
async function showChat(config: ChatConfig, first: Tokens): Promise<void> {
  let tokens = first;
  const onTokens = (fresh: Tokens): void => {
    tokens = fresh;
    saveSession(sessionStorage, fresh);
  };
  const getToken = createTokenSource({ url, tokens, onTokens });
  const client = await connect({ url, getToken, userId: tokens.userId, backlog: "none", agent: "chappe-web-chat" });
  let due = false;
  const onChange = (): void => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => {
      due = false;
      view.update();
      const unread = model.conversations.reduce((sum, conversation) => sum + conversation.unread, 0);
      document.title = unread === 0 ? "Chappe" : `(${unread}) Chappe`;
      if (model.status.state === "closed") void end(model.status.reason);
    });
  };
  const model = new ChatModel(client, onChange);
  let over = false;
  const end = async (reason: unknown): Promise<void> => {
    if (over) return;
    over = true;
    document.removeEventListener("visibilitychange", onVisible);
    await model.close();
    saveSession(sessionStorage, undefined);
    showSignIn(config, reason === undefined ? "" : errorText(reason));
  };
  const onVisible = (): void => model.markRead();
  const leave = (): void => {
    // Signing out works offline too: the session then ends by itself.
    signOut({ url, accessToken: tokens.accessToken }).catch(() => undefined);
    void end(undefined);
  };
  const view = createChatView(model, leave);
  document.addEventListener("visibilitychange", onVisible);
  app.replaceChildren(view.element);
  model.start();
  onChange();
}

async function main(): Promise<void> {
  const config = await loadChatConfig(url);
  const tokens = loadSession(sessionStorage);
  if (tokens === undefined) showSignIn(config, "");
  else await showChat(config, tokens);
}

void main();
