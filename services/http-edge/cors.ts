import type { IncomingMessage, ServerResponse } from "node:http";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { corsMethods, corsRequestHeaders, corsResponseHeaders } from "@chappe/mesh/rpc/cors-headers.ts";

/** Lets pages of other origins call. */
export interface CorsPolicy {
  /** Adds the headers that the origin of the request may have; none for an origin that is not allowed. */
  addHeaders(request: IncomingMessage, response: ServerResponse): void;
  /** Answers a preflight: 204 for an allowed origin, 403 for others. False when the request is none. */
  answerPreflight(request: IncomingMessage, response: ServerResponse): boolean;
}

/** Every origin; only when it is named, and alone. */
const anyOrigin = "*";

const allowedMethods = corsMethods.join(", ");
const allowedHeaders = corsRequestHeaders.join(", ");
const exposedHeaders = corsResponseHeaders.join(", ");
const maxAgeSeconds = String(limits.httpPreflightMaxAgeMs / 1000);

const isOrigin = (text: string): boolean =>
  URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text;

/** Throws INVALID_ARGUMENT, naming the entry, unless each is an origin such as `https://chat.example.org`, or `*` alone. */
export function checkCorsOrigins(origins: readonly string[]): void {
  const refuse = (message: string): never => {
    const violations = [{ field: "corsOrigins", rule: "origin", message }];
    throw new ChappeError("INVALID_ARGUMENT", `corsOrigins: ${message}`, { violations });
  };
  if (origins.length > limits.maxCorsOrigins) refuse(`has more than ${limits.maxCorsOrigins} origins`);
  if (origins.includes(anyOrigin) && origins.length > 1) refuse("has * beside other origins, which says nothing");
  for (const origin of origins) {
    if (origin !== anyOrigin && !isOrigin(origin))
      refuse(`${JSON.stringify(origin)} is no origin such as https://chat.example.org (no path, no trailing slash)`);
  }
}

/**
 * The policy for these origins; an empty list leaves only the page's own origin, which needs no header. Credentials are
 * never allowed: callers are known by their token, not by cookies.
 */
export function createCorsPolicy(origins: readonly string[]): CorsPolicy {
  checkCorsOrigins(origins);
  const allowed = new Set(origins);
  const any = allowed.has(anyOrigin);
  const addHeaders = (request: IncomingMessage, response: ServerResponse): boolean => {
    if (allowed.size === 0) return false;
    const { origin } = request.headers;
    if (!any) response.setHeader("vary", "Origin");
    if (origin === undefined || !(any || allowed.has(origin))) return false;
    response.setHeader("access-control-allow-origin", any ? anyOrigin : origin);
    response.setHeader("access-control-expose-headers", exposedHeaders);
    return true;
  };
  return {
    addHeaders,
    answerPreflight(request, response) {
      const { headers, method } = request;
      if (method !== "OPTIONS" || headers.origin === undefined) return false;
      if (headers["access-control-request-method"] === undefined) return false;
      response.statusCode = addHeaders(request, response) ? 204 : 403;
      if (response.statusCode === 204) {
        response.removeHeader("access-control-expose-headers");
        response.setHeader("access-control-allow-methods", allowedMethods);
        response.setHeader("access-control-allow-headers", allowedHeaders);
        response.setHeader("access-control-max-age", maxAgeSeconds);
      }
      response.end();
      return true;
    },
  };
}
