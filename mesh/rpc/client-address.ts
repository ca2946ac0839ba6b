import { createContextKey } from "@connectrpc/connect";

/** Network address of the client, where a handler finds it; empty when the call did not come over the HTTP edge. */
export const clientAddressKey = createContextKey<string>("", { description: "client address" });
