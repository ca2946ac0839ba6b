import { connect, createTokenSource, signOut, type Tokens } from "@chappe/sdk/src/index.ts";
import { type ChatConfig, loadChatConfig } from "./chat-config.ts";
import { ChatModel } from "./chat-model.ts";
import { createChatView } from "./chat-view.ts";
import { errorText } from "./error-text.ts";
import { loadSession, saveSession } from "./saved-session.ts";
import { createSignInView } from "./sign-in-view.ts";
import { createTitleMemory } from "./title-memory.ts";

const url = location.origin;
const app = document.getElementById("app")!;
const titles = createTitleMemory(sessionStorage);

function showSignIn(config: ChatConfig, notice: string): void {
  document.title = "Chappe";
  document.body.classList.remove("reading");
  const onSignedIn = (tokens: Tokens): void => {
    saveSession(sessionStorage, tokens);
    startChat(config, tokens);
  };
  app.replaceChildren(createSignInView({ url, config, notice, onSignedIn }));
}

/** Shows the chat, or says on the sign-in form why there is none. */
function startChat(config: ChatConfig, tokens: Tokens): void {
  showChat(config, tokens).catch((error: unknown) => showSignIn(config, errorText(error)));
}

/** Connects and shows the chat until the session ends. */
async function showChat(config: ChatConfig, first: Tokens): Promise<void> {
  let tokens = first;
  const onTokens = (fresh: Tokens): void => {
    tokens = fresh;
    saveSession(sessionStorage, fresh);
  };
  const getToken = createTokenSource({ url, tokens, onTokens });
  let model: ChatModel | undefined;
  const onAdopted = (): void => model?.trackPending();
  const { userId } = tokens;
  const client = await connect({ url, getToken, userId, onAdopted, backlog: "none", agent: "chappe-web-chat" });
  model = new ChatModel(client, titles);
  followModel(config, model, () => tokens.accessToken);
}

/** Shows the model until its session ends. */
function followModel(config: ChatConfig, model: ChatModel, accessToken: () => string): void {
  model.onChange = oncePerFrame(() => {
    view.update();
    const unread = model.conversations.reduce((sum, conversation) => sum + conversation.unread, 0);
    document.title = unread === 0 ? "Chappe" : `(${unread}) Chappe`;
    if (model.status.state === "closed") void end(model.status.reason);
  });
  let over = false;
  const end = async (reason: unknown): Promise<void> => {
    if (over) return;
    over = true;
    document.removeEventListener("visibilitychange", onVisible);
    await model.close();
    saveSession(sessionStorage, undefined);
    titles.clear();
    showSignIn(config, reason === undefined ? "" : errorText(reason));
  };
  const onVisible = (): void => model.markRead();
  const leave = (): void => {
    // Signing out works offline too: the session then ends by itself.
    signOut({ url, accessToken: accessToken() }).catch(() => undefined);
    void end(undefined);
  };
  const view = createChatView(model, leave);
  document.addEventListener("visibilitychange", onVisible);
  app.replaceChildren(view.element);
  model.start();
  model.onChange();
}

/** Runs once for all calls of a frame; a tab that is not seen has no frames, so there a timer stands in. */
function oncePerFrame(run: () => void): () => void {
  const hiddenFrameMs = 250;
  let due = false;
  const once = (): void => {
    due = false;
    run();
  };
  return () => {
    if (due) return;
    due = true;
    if (document.visibilityState === "visible") requestAnimationFrame(once);
    else setTimeout(once, hiddenFrameMs);
  };
}

async function main(): Promise<void> {
  // Without it (plain http: from another machine) the page only cannot be opened while offline.
  navigator.serviceWorker?.register("service-worker.js").catch(() => undefined);
  const config = await loadChatConfig(url);
  const tokens = loadSession(sessionStorage);
  if (tokens === undefined) showSignIn(config, "");
  else startChat(config, tokens);
}

void main();
