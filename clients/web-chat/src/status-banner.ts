import type { ClientStatus } from "@chappe/sdk/src/index.ts";
import { errorText } from "./error-text.ts";

/** What to tell about the connection; empty when all is well. */
export function statusText(status: ClientStatus): string {
  switch (status.state) {
    case "online":
      return "";
    case "connecting":
      return "Connecting…";
    case "catching-up":
      return "Fetching what came meanwhile…";
    case "offline":
      return "Offline. What you write is kept and sent when the connection is back.";
    case "closed":
      return status.reason === undefined ? "Signed out." : errorText(status.reason);
  }
}
