import { expect, test } from "vitest";
import { LatencyCounts } from "./latency-counts.ts";
import { prometheusText } from "./prometheus-text.ts";

test("a histogram is cumulative, in seconds, with what is over all bounds in the last bucket", () => {
  const time = new LatencyCounts();
  for (const ms of [0.5, 3, 20, 70_000]) time.record(ms);
  const lines = prometheusText({ callTimes: { 'a "b"': time } }).split("\n");
  expect(lines[1]).toBe("# TYPE chappe_engine_time_seconds histogram");
  const of = 'chappe_call="a \\"b\\""';
  const value = (name: string, label = ""): string | undefined => {
    const start = `chappe_engine_time_seconds_${name}{${of}${label}} `;
    return lines.find((line) => line.startsWith(start))?.slice(start.length);
  };
  const bounds = ["0.001", "0.003", "0.01", "0.03", "60", "+Inf"];
  expect(bounds.map((le) => value("bucket", `,le="${le}"`))).toEqual(["1", "2", "2", "3", "3", "4"]);
  expect([value("sum"), value("count")]).toEqual(["70.0235", "4"]);
});
