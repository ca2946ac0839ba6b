/** What the server tells the page about itself. */
export interface ChatConfig {
  /** Accounts of development mode; empty otherwise. */
  readonly demoNames: readonly string[];
  readonly demoPassword: string;
}

/** Reads it; a server that says nothing has no demo accounts. */
export async function loadChatConfig(url: string): Promise<ChatConfig> {
  try {
    const response = await fetch(`${url}/chat-config.json`);
    if (response.ok) return (await response.json()) as ChatConfig;
  } catch {
    // Offline: the saved session still works.
  }
  return { demoNames: [], demoPassword: "" };
}
