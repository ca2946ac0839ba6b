/**
 * `npm run pictures`: a group talks over every role as a process on real engines; the trace of one of its messages in
 * Zipkin, and two dashboards with what Prometheus answers to their queries, become pictures in docs/images.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startDistributedMesh } from "@chappe/bench/support/distributed-mesh.ts";
import { makeTraceToken } from "@chappe/mesh/telemetry/trace-token.ts";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "../browser/chat-page.ts";
import { startCollector } from "../mesh/support/start-collector.ts";
import { startPrometheus } from "../mesh/support/start-prometheus.ts";
import { startZipkin } from "../mesh/support/start-zipkin.ts";
import { createGroup, registerMany } from "../support/http-user.ts";
import { openTracedClient } from "../support/traced-client.ts";
import { boardPage, readBoard } from "./board-page.ts";

const talkMs = 60_000;
const messageEveryMs = 50;
/** Spans are in the store by then. */
const reportedMs = 4_000;
const members = 6;
const boards = ["message-slo", "log-and-writers"];
const pathOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const imageOf = (name: string): string => pathOf(`docs/images/${name}.png`);

/** A group talks for a minute; answers the id of a message from the middle. */
async function talk(url: string, key: Buffer): Promise<string> {
  const users = await registerMany(url, "u", members);
  const group = await createGroup(users);
  const traceToken = makeTraceToken(key, Date.now() + 2 * talkMs);
  const clients = await Promise.all(
    users.map((user, index) => openTracedClient(url, user, index === 0 ? { traceToken } : {})),
  );
  const ids: string[] = [];
  for (const endMs = performance.now() + talkMs; performance.now() < endMs; await pause(messageEveryMs))
    ids.push(await clients[0]!.send(group));
  await pause(reportedMs);
  await Promise.all(clients.map(({ client }) => client.close()));
  return ids[Math.floor(ids.length / 2)]!;
}

/** Opens a page, and keeps its picture when it shows what it should. */
async function photograph(
  browser: Browser,
  name: string,
  height: number,
  open: (page: Page) => Promise<unknown>,
): Promise<void> {
  const page = await browser.newPage({ viewport: { width: 1_280, height }, locale: "en-GB" });
  await open(page);
  await page.screenshot({ path: imageOf(name), fullPage: true });
  await page.close();
  console.log(imageOf(name));
}

async function openTrace(page: Page, url: string): Promise<void> {
  await page.goto(url);
  await page.getByText("device ack").first().waitFor();
}

const folder = mkdtempSync(join(tmpdir(), "chappe-pictures-"));
const started: { close(): Promise<void> }[] = [];
const keep = <T extends { close(): Promise<void> }>(part: T): T => {
  started.push(part);
  return part;
};
try {
  const zipkin = keep(await startZipkin());
  const collector = keep(await startCollector(zipkin.url));
  const [key, keyFile] = [randomBytes(32), join(folder, "key")];
  writeFileSync(keyFile, key);
  const settings = { CHAPPE_OTLP_URL: collector.url, CHAPPE_TRACE_KEY_FILE: keyFile, CHAPPE_OPS_PORT: "0" };
  const distributed = keep(await startDistributedMesh(settings));
  const { mesh } = distributed;
  const opsPorts = mesh.names.map((name) => `127.0.0.1:${mesh.ready(name).opsPort}`);
  const prometheus = keep(await startPrometheus(opsPorts));
  const traceId = await talk(`http://127.0.0.1:${mesh.port("login")}`, key);
  const browser = keep(await launchChromium());
  const boardPages = await Promise.all(boards.map((board) => boardPage(prometheus.url, readBoard(board))));
  await photograph(browser, "trace-zipkin", 900, (page) => openTrace(page, `${zipkin.url}/zipkin/traces/${traceId}`));
  for (const [index, board] of boards.entries())
    await photograph(browser, `dashboard-${board}`, 580, (page) => page.setContent(boardPages[index]!));
} finally {
  for (const part of started.reverse()) await part.close();
  rmSync(folder, { recursive: true, force: true });
}
