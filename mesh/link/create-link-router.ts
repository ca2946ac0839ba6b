import { ChappeError } from "../errors/chappe-error.ts";
import type { Call, Router } from "../rpc/call.ts";
import type { Link } from "./link.ts";

const hashOf = (text: string): number => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
};

/**
 * Router by way of any of several links. Calls for one target take the same link while the links are the same, so that
 * they arrive in order; other calls go where the fewest are in flight. UNAVAILABLE when no link is open.
 */
export function createLinkRouter(source: { readonly links: readonly Link[] }): Router {
  return {
    call(call: Call): Promise<Uint8Array> {
      const { links } = source;
      if (links.length <= 1)
        return links[0]?.call(call) ?? Promise.reject(new ChappeError("UNAVAILABLE", "No Route can be reached."));
      if (call.target !== undefined) return links[hashOf(call.target) % links.length]!.call(call);
      let best = links[0]!;
      let least = Number.POSITIVE_INFINITY;
      for (const link of links) {
        const { callsInFlight } = link.stats();
        if (callsInFlight < least) {
          best = link;
          least = callsInFlight;
        }
      }
      return best.call(call);
    },
  };
}
