import { expect, test } from "vitest";
import { createLogger } from "./logger.ts";

function world() {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger((line) => void lines.push(JSON.parse(line) as Record<string, unknown>));
  return { logger, lines };
}

test("one object a line, with errors and big numbers in it", () => {
  const { logger, lines } = world();
  const error = new Error("outer", { cause: new Error("inner") });
  logger.warn("link.refused", { peer: "a\nb", userId: 2n ** 63n, error });
  expect(lines).toMatchObject([{ level: "warn", event: "link.refused", peer: "a\nb", userId: "9223372036854775808" }]);
  expect(lines[0]!.error).toMatchObject({ message: "outer", cause: { message: "inner" } });
  expect(Date.parse(String(lines[0]!.time))).toBeGreaterThan(0);
});

test("what must not be told is not, though it was given", () => {
  const { logger, lines } = world();
  logger.info("x", { token: "t0p", nested: { password: "t0p", name: "ann" }, body: "t0p" });
  expect(JSON.stringify(lines)).not.toContain("t0p");
  expect(lines[0]!.nested).toMatchObject({ name: "ann" });
});

test("the level may be changed while it runs", () => {
  const { logger, lines } = world();
  logger.level = "error";
  logger.warn("unheard");
  logger.error("heard");
  logger.level = "info";
  logger.info("heard again");
  expect(lines.map(({ event }) => event)).toEqual(["heard", "heard again"]);
});

const traceparent = (flags: string): Uint8Array =>
  Buffer.from(`00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-${flags}`, "latin1");

test("lines written for a sampled message name its trace, also after waits, and no others do", async () => {
  const { logger, lines } = world();
  const work = async (event: string): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    logger.warn(event);
  };
  await Promise.all([
    logger.within(traceparent("01"), () => work("sampled")),
    logger.within(traceparent("00"), () => work("not sampled")),
    logger.within(new Uint8Array(0), () => work("no context")),
    logger.within(Buffer.alloc(55, "x"), () => work("not a context")),
    work("outside"),
  ]);
  const ids = { trace_id: "0af7651916cd43dd8448eb211c80319c", span_id: "b7ad6b7169203331" };
  expect(lines.find(({ event }) => event === "sampled")).toMatchObject(ids);
  const others = lines.filter(({ event }) => event !== "sampled");
  expect(others).toHaveLength(4);
  for (const line of others) expect(Object.keys(line).sort()).toEqual(["event", "level", "time"]);
});
