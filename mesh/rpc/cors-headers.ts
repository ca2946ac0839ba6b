import { cors } from "@connectrpc/connect";

/** Methods and headers of Connect and gRPC-web, and our own, that pages of other origins may use; for CORS. */
export const corsMethods: readonly string[] = cors.allowedMethods;
/** Request headers. */
export const corsRequestHeaders: readonly string[] = [...cors.allowedHeaders, "Authorization", "Traceparent"];
/** Response headers that a page may read. */
export const corsResponseHeaders: readonly string[] = [...cors.exposedHeaders, "Retry-After"];
