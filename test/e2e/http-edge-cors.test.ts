import { readConfig } from "@chappe/services/all/config.ts";
import { afterEach, describe, expect, it } from "vitest";
import { type EdgeHarness, startEdge } from "./http-edge-harness.ts";

const ours = "https://chat.example.org";
const path = "chappe.business.v1.UserService/GetUsers";

let edge: EdgeHarness;
afterEach(() => edge.close());

const preflight = (origin: string): Promise<Response> =>
  fetch(`${edge.url}/${path}`, {
    method: "OPTIONS",
    headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "authorization" },
  });
const call = (origin: string, contentType = "application/json", body = "{}", token = edge.token): Promise<Response> =>
  fetch(`${edge.url}/${path}`, {
    method: "POST",
    headers: { origin, authorization: `Bearer ${token}`, "content-type": contentType },
    body,
  });
const allowed = (response: Response): string | null => response.headers.get("access-control-allow-origin");

describe("cross-origin calls", () => {
  it("are open to nobody unless an origin is named", async () => {
    edge = await startEdge();
    expect([(await preflight(ours)).status, allowed(await preflight(ours))]).toEqual([403, null]);
    expect(allowed(await call(ours))).toBeNull();
  });

  it("are open to the named origins only, over Connect and gRPC-web, errors included", async () => {
    edge = await startEdge({ corsOrigins: ["http://localhost:5173", ours] });
    const answer = await preflight(ours);
    expect([answer.status, allowed(answer)]).toEqual([204, ours]);
    expect(answer.headers.get("access-control-allow-methods")).toContain("POST");
    const names = answer.headers.get("access-control-allow-headers")!.toLowerCase();
    for (const name of ["authorization", "content-type", "connect-protocol-version", "x-grpc-web", "grpc-timeout"])
      expect(names).toContain(name);
    expect(answer.headers.has("access-control-allow-credentials")).toBe(false);
    for (const type of ["application/json", "application/grpc-web+proto"]) {
      const response = await call(ours, type, type.endsWith("proto") ? "\0\0\0\0\0" : "{}");
      expect([response.status, allowed(response)]).toEqual([200, ours]);
      expect(response.headers.get("access-control-expose-headers")).toContain("Grpc-Status");
      expect(response.headers.get("vary")).toBe("Origin");
    }
    const refused = await call(ours, "application/json", "{}", "a.b.c");
    expect([refused.status, allowed(refused)]).toEqual([401, ours]);
    for (const other of ["https://chat.example.org.evil.example", "http://chat.example.org", "null"]) {
      expect((await preflight(other)).status).toBe(403);
      expect(allowed(await call(other))).toBeNull();
    }
  });

  it("are open to everybody only when * is said", async () => {
    edge = await startEdge({ corsOrigins: ["*"] });
    expect([(await preflight("https://any.example")).status, allowed(await call("https://any.example"))]).toEqual([
      204,
      "*",
    ]);
  });
});

describe("CHAPPE_CORS_ORIGINS", () => {
  const origins = (text?: string) => readConfig([], { CHAPPE_CORS_ORIGINS: text }).corsOrigins;

  it("is a list with commas, empty unless given", () => {
    expect(origins()).toEqual([]);
    expect(origins(` ${ours} , http://localhost:5173,`)).toEqual([ours, "http://localhost:5173"]);
    expect(origins("*")).toEqual(["*"]);
  });

  it.each([
    "chat.example.org",
    `${ours}/`,
    `${ours}/chat`,
    "ftp://chat.example.org",
    `*,${ours}`,
    "https://*.example.org/",
    "null",
  ])("refuses %s", (text) => {
    expect(() => origins(text)).toThrow(/corsOrigins/);
  });
});
