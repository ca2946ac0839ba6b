import { randomUUIDv7 } from "node:crypto";

/** A registered user that calls services with Connect JSON, as curl would. */
export interface HttpUser {
  readonly userId: string;
  readonly token: string;
  /** Calls `package.Service/Method`; rejects with RpcFailure. */
  call<T = Record<string, unknown>>(method: string, body: object): Promise<T>;
}

/** What a refused call says. */
export class RpcFailure extends Error {
  readonly code: string;
  /** Name in the error registry. */
  readonly reason: string;
  constructor(code: string, message: string, reason: string) {
    super(`${code}: ${message}`);
    this.code = code;
    this.reason = reason;
  }
}

/** Calls a method without a token, or with one. */
export async function callJson<T>(url: string, method: string, body: object, token?: string): Promise<T> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  const response = await fetch(`${url}/${method}`, { method: "POST", headers, body: JSON.stringify(body) });
  const answer = (await response.json()) as {
    code: string;
    message: string;
    details?: { debug?: { name?: string }; value: string }[];
  };
  if (response.ok) return answer as T;
  const detail = Buffer.from(answer.details?.[0]?.value ?? "", "base64").toString("latin1");
  throw new RpcFailure(answer.code, answer.message, /[A-Z][A-Z_]{3,}/.exec(detail)?.[0] ?? "");
}

/** Registers a user. */
export async function registerUser(url: string, name: string): Promise<HttpUser> {
  const { tokens } = await callJson<{ tokens: { userId: string; accessToken: string } }>(
    url,
    "chappe.business.v1.AuthService/Register",
    { name, password: "correct horse" },
  );
  const { userId, accessToken: token } = tokens;
  return { userId, token, call: (method, body) => callJson(url, method, body, token) };
}

/** A fresh UUIDv7, base64 as in JSON; `ageMs` makes it older. */
export function messageId(ageMs = 0): string {
  const bytes = Buffer.from(randomUUIDv7().replaceAll("-", ""), "hex");
  bytes.writeUIntBE(Date.now() - ageMs, 0, 6);
  return bytes.toString("base64");
}

/** The direct conversation of two users, base64. */
export function directId(a: HttpUser, b: HttpUser): string {
  const ids = [BigInt(a.userId), BigInt(b.userId)].sort((x, y) => (x < y ? -1 : 1));
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64BE(ids[0]!, 0);
  bytes.writeBigUInt64BE(ids[1]!, 8);
  return bytes.toString("base64");
}

/** Registers so many users named after `prefix`. */
export async function registerMany(url: string, prefix: string, count: number): Promise<HttpUser[]> {
  const users: HttpUser[] = [];
  for (let i = 0; i < count; i++) users.push(await registerUser(url, `${prefix}${i}`));
  return users;
}

/** A group that the first of them owns; answers its id, base64. */
export async function createGroup(members: readonly HttpUser[]): Promise<string> {
  const memberIds = members.slice(1).map(({ userId }) => userId);
  const answer = await members[0]!.call<{ group: { conversationId: string } }>(
    "chappe.business.v1.GroupService/CreateGroup",
    { title: "group", memberIds },
  );
  return answer.group.conversationId;
}
