import { type HbaseTable, probeHbase } from "@chappe/mesh/dev-engines/hbase-tables.ts";
import { expect, it } from "vitest";
import { hbaseForTests } from "./engines-for-tests.ts";

const startMs = 150_000;
const table: HbaseTable = {
  name: `kit-${crypto.randomUUID()}`,
  family: "b",
  splitKeys: [Buffer.from("h"), Buffer.from("p")],
};

it("HBase keeps what it has acknowledged when it is killed", { timeout: startMs }, async () => {
  const hbase = await hbaseForTests([table]);
  try {
    // One row in each region.
    for (const row of ["a", "k", "z"]) expect(await probeHbase(hbase.at, table, row, `in ${row}`)).toBe(`in ${row}`);
    await hbase.own?.kill();
    await hbase.own?.restart();
    for (const row of ["a", "k", "z"]) expect(await probeHbase(hbase.at, table, row)).toBe(`in ${row}`);
    expect(await probeHbase(hbase.at, table, "nothing")).toBe("");
  } finally {
    await hbase.close();
  }
});
