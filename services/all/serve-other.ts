import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, normalize } from "node:path";
import type { Jwks } from "@chappe/mesh/auth/signing-key.ts";

/** Makes the answer to requests that are no RPC. */
export type ServeOther = (jwks: Jwks) => (request: IncomingMessage, response: ServerResponse) => boolean;

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".map": "application/json",
  ".svg": "image/svg+xml",
};

const contentPolicy = "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; frame-ancestors 'none'";

/** Answers with a file of the folder and the headers of a page, or with 404. */
export async function sendFile(root: string, path: string, response: ServerResponse): Promise<void> {
  try {
    const body = await readFile(join(root, path));
    response.setHeader("content-type", types[extname(path)] ?? "application/octet-stream");
    response.setHeader("content-security-policy", contentPolicy);
    response.setHeader("x-content-type-options", "nosniff");
    response.setHeader("referrer-policy", "no-referrer");
    response.setHeader("cache-control", "no-cache");
    response.end(body);
  } catch {
    response.statusCode = 404;
    response.end("not found\n");
  }
}

function sendJson(value: unknown, response: ServerResponse): true {
  response.setHeader("content-type", "application/json");
  response.setHeader("cache-control", "no-cache");
  response.end(JSON.stringify(value));
  return true;
}

/** What the chat page learns about its server. */
export interface ChatConfig {
  /** Accounts of development mode; empty otherwise. */
  readonly demoNames: readonly string[];
  readonly demoPassword: string;
}

/** The JWKS, the chat page's settings and the files of one folder; `/` is index.html. */
export function createServeOther(root: string, chatConfig: ChatConfig): ServeOther {
  return (jwks) => (request, response) => {
    if ((request.method !== "GET" && request.method !== "HEAD") || request.url === undefined) return false;
    const path = new URL(request.url, "http://localhost").pathname;
    if (path === "/.well-known/jwks.json") return sendJson(jwks, response);
    if (path === "/chat-config.json") return sendJson(chatConfig, response);
    const file = normalize(path === "/" ? "/index.html" : path);
    if (types[extname(file)] === undefined) return false;
    void sendFile(root, file, response);
    return true;
  };
}
