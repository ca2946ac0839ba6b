import type { ClientStatus } from "@chappe/sdk/src/index.ts";
import { errorText } from "./error-text.ts";

/** What to tell about the connection; empty when all is well. `again`: there was one before. */
export function statusText(status: ClientStatus, again: boolean): string {
  switch (status.state) {
    case "online":
      return "";
    case "connecting":
      return again ? "Reconnecting…" : "Connecting…";
    case "catching-up":
      return "Fetching what came meanwhile…";
    case "offline":
      return "Offline. Your messages are kept, and sent when you are back.";
    case "closed":
      return status.reason === undefined ? "Signed out." : errorText(status.reason);
  }
}
