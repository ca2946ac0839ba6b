import { createMysqlMessageStore } from "@chappe/mesh/engines/mysql-message-store/create-mysql-message-store.ts";
import { afterAll, beforeAll } from "vitest";
import { describeMessageStore } from "./message-store-conformance.ts";
import { type MysqlKit, startMysqlKit } from "./mysql-kit.ts";

let kit: MysqlKit;
beforeAll(async () => {
  kit = await startMysqlKit();
});
afterAll(() => kit?.close());

describeMessageStore("MySQL", async () => {
  const options = await kit.createDatabase();
  return {
    open: () => createMysqlMessageStore(options),
    keeps: true,
    destroy: () => kit.dropDatabase(options),
  };
});
