import { type DescFile, hasOption } from "@bufbuild/protobuf";
import { event } from "@chappe/gen/proto/chappe/mesh/v1/options_pb.ts";
import { contractFiles, createContracts } from "@chappe/mesh/rpc/contracts.ts";
import { describe, expect, it } from "vitest";
import { compileContracts } from "./compile-contracts.ts";
import { contractProblems, type UnlimitedFields } from "./contract-rules.ts";

const unlimited: UnlimitedFields = {
  "chappe.mesh.v1.PacketBatch.packets": "Login bounds the frame and its packets",
  "chappe.mesh.v1.Packet.affinity": "Login bounds the frame and its packets",
  "chappe.mesh.v1.Packet.trace_context": "Login bounds the frame and its packets",
  "chappe.mesh.v1.Packet.payload": "Login bounds the frame and its packets",
  ...Object.fromEntries(
    [
      "edge.v1.DeliverRequest.deliveries",
      "edge.v1.EventDelivery.connection_ids",
      "edge.v1.EventDelivery.payload",
      "edge.v1.EventDelivery.conversation_id",
      "mesh.v1.OpenRequest.packets",
      "mesh.v1.LinkPacket.affinity",
      "mesh.v1.LinkPacket.trace_context",
      "mesh.v1.Caller.login_id",
      "mesh.v1.LinkPacket.target",
      "mesh.v1.LinkPacket.client_address",
      "mesh.v1.LinkPacket.payload",
      "mesh.v1.LinkHello.instance_id",
      "mesh.v1.LinkHello.svids",
      "mesh.v1.LinkHello.proof",
    ].map((name) => [`chappe.${name}`, "between processes of the mesh only; the link bounds the frame"]),
  ),
  ...Object.fromEntries(
    ["service", "instance_id", "address", "identity", "files"].map((name) => [
      `chappe.mesh.v1.Registration.${name}`,
      "Route checks it, and the stream bounds the message",
    ]),
  ),
  "chappe.msg.v1.MembershipContent.items": "clients cannot send it; Groups makes it from a limited request",
};

const header = `syntax = "proto3";
package fixture.v1;
import "chappe/mesh/v1/options.proto";
`;
const service = (name: string, svid: number, ...methods: string[]): string => `
service ${name} {
  option (chappe.mesh.v1.svid) = ${svid};
  ${methods.join("\n  ")}
}
message In${name} {}
message Out${name} {}
`;
const method = (owner: string, name: string, cmd: number): string =>
  `rpc ${name}(In${owner}) returns (Out${owner}) { option (chappe.mesh.v1.cmd) = ${cmd}; option (chappe.mesh.v1.auth) = AUTH_LEVEL_USER; }`;
const eventMessage = (name: string, options: string): string => `
message ${name} { option (chappe.mesh.v1.event) = { ${options} }; }
`;

/** Descriptors of one fixture file, its imports left out. */
function compileFixture(text: string): DescFile[] {
  return compileContracts({ "fixture/v1/fixture.proto": header + text }).filter(({ name }) =>
    name.startsWith("fixture/"),
  );
}

describe("the contracts", () => {
  const compiled = compileContracts();

  it("keep the rules", () => {
    expect(contractProblems(compiled, unlimited)).toEqual([]);
  });

  it("have one owner for each (SVID, CMD)", () => {
    const contracts = createContracts();
    expect(contracts.methods.length).toBe(compiled.flatMap((file) => file.services).flatMap((s) => s.methods).length);
    expect(contracts.events.length).toBeGreaterThan(0);
  });

  it("are all known to the mesh", () => {
    const known = new Set(contractFiles.map(({ name }) => name));
    const addressed = compiled.filter(
      (file) => file.services.length > 0 || file.messages.some((message) => hasOption(message, event)),
    );
    expect(addressed.map(({ name }) => name).filter((name) => !known.has(name))).toEqual([]);
  });
});

describe("createContracts refuses", () => {
  it("two methods with one (SVID, CMD)", () => {
    const files = compileFixture(service("A", 2001, method("A", "One", 1), method("A", "Two", 1)));
    expect(() => createContracts(files)).toThrow(
      "(SVID 2001, CMD 1) is claimed by fixture.v1.A.One and by fixture.v1.A.Two",
    );
  });

  it("two services with one SVID", () => {
    const files = compileFixture(service("A", 2001, method("A", "One", 1)) + service("B", 2001, method("B", "One", 2)));
    expect(() => createContracts(files)).toThrow("SVID 2001 is claimed by fixture.v1.A and by fixture.v1.B");
  });

  it("an event with the address of a method, and of Chappe's own contracts", () => {
    const text = service("A", 2001, method("A", "One", 1));
    const clash = compileFixture(text + eventMessage("E", "svid: 2001 cmd: 1 delivery: DELIVERY_AT_MOST_ONCE"));
    expect(() => createContracts(clash)).toThrow("(SVID 2001, CMD 1)");
    const own = compileFixture(eventMessage("E", "svid: 10 cmd: 101 delivery: DELIVERY_AT_MOST_ONCE"));
    expect(() => createContracts([...contractFiles, ...own])).toThrow("(SVID 10, CMD 101)");
  });

  it("a service without SVID and a method without CMD", () => {
    expect(() => createContracts(compileFixture(service("A", 0, method("A", "One", 1))))).toThrow("option svid");
    expect(() => createContracts(compileFixture(service("A", 2001, method("A", "One", 0))))).toThrow("option cmd");
  });
});

describe("the rules catch", () => {
  const problemsOf = (text: string): string[] => contractProblems(compileFixture(text), unlimited);

  it("missing addresses", () => {
    expect(problemsOf(service("A", 0, method("A", "One", 0)))).toEqual([
      "fixture.v1.A has no SVID",
      "fixture.v1.A.One has no CMD",
    ]);
  });

  it("a method open to nobody knows whom, and a wrong affinity", () => {
    const bare =
      'rpc One(InA) returns (OutA) { option (chappe.mesh.v1.cmd) = 1; option (chappe.mesh.v1.affinity) = "x"; }';
    expect(problemsOf(service("A", 2001, bare))).toEqual([
      "fixture.v1.A.One does not say who may call it",
      "fixture.v1.A.One: affinity names x, which is no field of fixture.v1.InA",
    ]);
  });

  it("an internal method without callers, and callers of one that is not internal", () => {
    const open = "rpc One(InA) returns (OutA) { option (chappe.mesh.v1.cmd) = 1; option (chappe.mesh.v1.auth) = ";
    const rule = "fixture.v1.A.One: internal methods, and they alone, name the roles that may call them";
    expect(problemsOf(service("A", 2001, `${open}AUTH_LEVEL_INTERNAL; }`))).toEqual([rule]);
    const named = `${open}AUTH_LEVEL_USER; option (chappe.mesh.v1.callers) = "push"; }`;
    expect(problemsOf(service("A", 2001, named))).toEqual([rule]);
  });

  it("an event without delivery", () => {
    expect(problemsOf(eventMessage("E", "svid: 2001 cmd: 1"))).toEqual(["fixture.v1.E does not say its delivery"]);
  });

  it("fields without a limit, inner ones too", () => {
    const text = `
service A {
  option (chappe.mesh.v1.svid) = 2001;
  rpc One(In) returns (In) { option (chappe.mesh.v1.cmd) = 1; option (chappe.mesh.v1.auth) = AUTH_LEVEL_USER; }
}
message In { string name = 1; uint32 page = 2; Inner inner = 3; }
message Inner { repeated uint32 numbers = 1; bytes data = 2; }
`;
    expect(problemsOf(text)).toEqual([
      "fixture.v1.In.name has no limit",
      "fixture.v1.Inner.numbers has no limit",
      "fixture.v1.Inner.data has no limit",
    ]);
  });
});
