import { limits } from "@chappe/mesh/limits.ts";
import { type EchoCase, echoOf, fragments, pong, text, textEcho } from "./echo-case.ts";
import { closeFrameOf, frameOf, opcodes } from "./raw-web-socket.ts";

const { ping, pong: pongCode, binary, continuation } = opcodes;
const allBytes = Uint8Array.of(0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff);
const full = new Uint8Array(125).fill(0xfe);
const ten = Array.from({ length: 10 }, (_, i) => `payload-${i}`);
const refused = { section: "5.5", closes: 1002 };

const lengths: EchoCase[] = [0, 125, 126, 127, 128, 65_535, limits.maxFrameBytes].flatMap((bytes, i) => {
  const letters = "*".repeat(bytes);
  const octets = new Uint8Array(bytes).fill(0xfe);
  return [
    { name: `1.1.${i + 1} text of ${bytes}`, section: "5.2", send: [text(letters)], answers: [textEcho(letters)] },
    {
      name: `1.2.${i + 1} binary of ${bytes}`,
      section: "5.2",
      send: [frameOf(binary, octets)],
      answers: [echoOf(binary, octets)],
    },
  ];
});
const chopped: EchoCase[] = [opcodes.text, binary].map((opcode, i) => ({
  name: `1.${i + 1}.8 ${limits.maxFrameBytes} bytes in pieces of 997`,
  section: "5.2",
  send: [frameOf(opcode, "*".repeat(limits.maxFrameBytes))],
  pieceBytes: 997,
  answers: [echoOf(opcode, "*".repeat(limits.maxFrameBytes))],
}));

const pings: EchoCase[] = [
  { name: "2.1 ping without payload", section: "5.5.2", send: [frameOf(ping)], answers: [pong()] },
  { name: "2.2 ping with text", section: "5.5.2", send: [frameOf(ping, "Hello")], answers: [pong("Hello")] },
  { name: "2.3 ping with bytes", section: "5.5.2", send: [frameOf(ping, allBytes)], answers: [pong(allBytes)] },
  { name: "2.4 ping of 125", section: "5.5", send: [frameOf(ping, full)], answers: [pong(full)] },
  { name: "2.5 ping of 126", ...refused, send: [frameOf(ping, new Uint8Array(126))] },
  {
    name: "2.6 ping of 125 by octets",
    section: "5.5",
    send: [frameOf(ping, full)],
    pieceBytes: 1,
    answers: [pong(full)],
  },
  { name: "2.7 pong nobody asked for", section: "5.5.3", send: [frameOf(pongCode)] },
  { name: "2.8 the same with payload", section: "5.5.3", send: [frameOf(pongCode, "unasked")] },
  {
    name: "2.9 such a pong, then a ping",
    section: "5.5.3",
    send: [frameOf(pongCode, "unasked"), frameOf(ping, "asked")],
    answers: [pong("asked")],
  },
  ...[undefined, 1].map((pieceBytes, i) => ({
    name: `2.${10 + i} ten pings${pieceBytes === 1 ? " by octets" : ""}`,
    section: "5.5.2",
    send: ten.map((payload) => frameOf(ping, payload)),
    answers: ten.map((payload) => pong(payload)),
    ...(pieceBytes !== undefined && { pieceBytes }),
  })),
];

const hello = text("Hello");
const reserved: EchoCase[] = [
  { name: "3.1 RSV 1 on text", send: [frameOf(1, "Hello", { rsv: 1 })] },
  { name: "3.2 RSV 2 after a good text", send: [hello, frameOf(1, "Hello", { rsv: 2 })], answers: [textEcho("Hello")] },
  { name: "3.3 RSV 3", send: [hello, frameOf(1, "Hello", { rsv: 3 })], answers: [textEcho("Hello")] },
  { name: "3.4 RSV 4 by octets", send: [frameOf(1, "Hello", { rsv: 4 })], pieceBytes: 1 },
  { name: "3.5 RSV 5 on binary", send: [frameOf(binary, allBytes, { rsv: 5 })] },
  { name: "3.6 RSV 6 on ping", send: [frameOf(ping, "Hello", { rsv: 6 })] },
  { name: "3.7 RSV 7 on close", send: [frameOf(opcodes.close, "", { rsv: 7 })] },
].map((each) => ({ section: "5.2", closes: 1002, ...each }));

const unknown: EchoCase[] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) => [
  { name: `4 opcode ${opcode}`, section: "5.2", send: [frameOf(opcode)], closes: 1002 },
  {
    name: `4 opcode ${opcode} with payload after a text`,
    section: "5.2",
    send: [hello, frameOf(opcode, allBytes), frameOf(ping)],
    answers: [textEcho("Hello")],
    closes: 1002,
  },
]);

const masks: EchoCase[] = [
  { name: "a frame without a mask", section: "5.1", send: [frameOf(binary, "x", { masked: false })], closes: 1002 },
  { name: "a ping without a mask", section: "5.1", send: [frameOf(ping, "x", { masked: false })], closes: 1002 },
  {
    name: "a length with its top bit set",
    section: "5.2",
    send: [frameOf(binary, "", { announcedBytes: 2n ** 63n })],
    closes: 1009,
  },
];

const parted = fragments(1, ["frag1", "frag2"]);
const asked = [frameOf(ping, "between")];
const many = ["a", "b", "c", "d", "e"];
const fragmented: EchoCase[] = [
  { name: "5.1 ping in fragments", ...refused, send: fragments(ping, ["a", "b"]) },
  { name: "5.2 pong in fragments", ...refused, send: fragments(pongCode, ["a", "b"]) },
  ...[undefined, 5, 1].map((pieceBytes, i) => ({
    name: `5.${3 + i} two fragments in pieces of ${pieceBytes ?? "all"}`,
    section: "5.4",
    send: parted,
    answers: [textEcho("frag1frag2")],
    ...(pieceBytes !== undefined && { pieceBytes }),
  })),
  ...[undefined, 5, 1].map((pieceBytes, i) => ({
    name: `5.${6 + i} a ping between fragments, in pieces of ${pieceBytes ?? "all"}`,
    section: "5.4",
    send: fragments(1, ["frag1", "frag2"], asked),
    answers: [pong("between"), textEcho("frag1frag2")],
    ...(pieceBytes !== undefined && { pieceBytes }),
  })),
  ...[true, false].flatMap((fin, f) =>
    [undefined, 5, 1].map((pieceBytes, i) => ({
      name: `5.${9 + 3 * f + i} continuation of nothing, fin ${fin}, in pieces of ${pieceBytes ?? "all"}`,
      section: "5.4",
      send: [frameOf(continuation, "none", { fin }), hello],
      closes: 1002,
      ...(pieceBytes !== undefined && { pieceBytes }),
    })),
  ),
  {
    name: "5.15 a message in fragments, then a continuation",
    section: "5.4",
    send: [...parted, frameOf(continuation, "more", { fin: false }), hello],
    answers: [textEcho("frag1frag2")],
    closes: 1002,
  },
  {
    name: "5.18 a new message inside a fragmented one",
    section: "5.4",
    send: [frameOf(1, "a", { fin: false }), text("b")],
    closes: 1002,
  },
  {
    name: "5.19 five fragments with pings between",
    section: "5.4",
    send: fragments(1, many, asked),
    answers: [...many.slice(1).map(() => pong("between")), textEcho("abcde")],
  },
  {
    name: "5.20 the same by octets, empty fragments too",
    section: "5.4",
    send: fragments(binary, ["", "x", "", "y", ""], asked),
    pieceBytes: 1,
    answers: [...many.slice(1).map(() => pong("between")), echoOf(binary, "xy")],
  },
  {
    name: "a close inside a fragmented message ends it",
    section: "5.4",
    send: [frameOf(1, "a", { fin: false }), closeFrameOf(1000), frameOf(continuation, "b")],
  },
];

/** Sections 1 to 5 of Autobahn's suite. */
export const framingCases: readonly EchoCase[] = [
  ...lengths,
  ...chopped,
  ...pings,
  ...reserved,
  ...unknown,
  ...masks,
  ...fragmented,
];
