import { expect, test } from "vitest";
import { createRouteTable } from "./route-table.ts";

const of = (name: string) => createRouteTable().find(({ service }) => service === name)!;

test("every method of the contracts is in one place, and only those that the contract opens need no token", () => {
  const auth = of("chappe.business.v1.AuthService");
  expect(auth.open.toSorted()).toEqual(["Refresh", "Register", "SignIn"]);
  expect(auth.idempotent).toContain("SignOut");
  expect(auth.once).not.toContain("SignOut");
  const edge = of("chappe.edge.v1.EdgeService");
  expect(edge.streams).toEqual(["Connect", "Listen"]);
  expect(edge.open).not.toContain("OpenUdp");
});

test("what no client may call is closed: internal methods, and those that packets alone carry", () => {
  expect(of("chappe.business.v1.SyncService").closed).toEqual(["ReportDelivered"]);
  expect(of("chappe.edge.v1.SessionService").closed).toEqual(expect.arrayContaining(["Hello", "Heartbeat"]));
  for (const name of ["chappe.mesh.v1.LinkService", "chappe.push.v1.PushService", "chappe.edge.v1.LoginService"]) {
    const { streams, idempotent, once, open } = of(name);
    expect([...streams, ...idempotent, ...once, ...open]).toEqual([]);
  }
});

test("only what the contract calls idempotent may be tried again: a send is, by its id, a new group is not", () => {
  expect(of("chappe.msg.v1.MessageService").idempotent).toContain("Send");
  expect(of("chappe.business.v1.GroupService").once).toEqual(["CreateGroup"]);
});
