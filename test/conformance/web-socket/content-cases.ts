import { limits } from "@chappe/mesh/limits.ts";
import { type EchoCase, echoOf, fragments, pong, text, textEcho } from "./echo-case.ts";
import { closeFrameOf, frameOf, opcodes } from "./raw-web-socket.ts";

const { binary, close, ping, continuation } = opcodes;
const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");

const goodTexts = [
  "",
  "Hello-µ@ßöäüàá-UTF-8!!",
  "κόσμε",
  "\u0000",
  "\u007f",
  "\u0080",
  "߿",
  "ࠀ",
  "\ud7ff",
  "\ue000",
  "�",
];
const wide = ["\ufffe", "\uffff", "𐀀", "\u{10ffff}", "\u{1fffe}", "\u{10fffe}"];
const badTexts: Record<string, string> = {
  "6.3 in the middle": "cebae1bdb9cf83cebcceb5 eda080 656469746564",
  "6.4 beyond U+10FFFF": "cebae1bdb9cf83cebcceb5 f4908080 656469746564",
  "6.8 the first half of two bytes": "ce",
  "6.10 the first two of three bytes": "e1bd",
  "6.12 five bytes": "f888808080",
  "6.12 six bytes": "fc8480808080",
  "6.14 a continuation alone": "80",
  "6.14 all continuations": "808182bf",
  "6.16 four-byte start alone": "f0 20",
  "6.18 FE": "fe",
  "6.18 FF": "ff",
  "6.19 overlong slash of two": "c0af",
  "6.19 overlong slash of three": "e080af",
  "6.20 overlong end of two": "c1bf",
  "6.20 overlong end of four": "f08fbfbf",
  "6.21 overlong nothing": "c080",
  "6.22 surrogate D800": "eda080",
  "6.22 surrogate DFFF": "edbfbf",
  "6.23 a pair of surrogates": "eda080edb080",
};
const utf8: EchoCase[] = [
  ...[...goodTexts, ...wide].flatMap((good) => {
    const octets = Array.from(Buffer.from(good), (byte) => Uint8Array.of(byte));
    const whole = {
      name: `6.1 ${JSON.stringify(good)}`,
      section: "8.1",
      send: [text(good)],
      answers: [textEcho(good)],
    };
    if (octets.length < 2) return [whole];
    return [whole, { ...whole, name: `${whole.name}, a fragment for each byte`, send: fragments(1, octets) }];
  }),
  ...Object.entries(badTexts).flatMap(([name, hex]) => [
    { name, section: "8.1", send: [text(bytesOf(hex))], closes: 1007 },
    { name: `${name}, in fragments`, section: "8.1", send: fragments(1, ["κ", bytesOf(hex)]), closes: 1007 },
    {
      name: `${name}, in the reason of a close`,
      section: "5.5.1",
      send: [closeFrameOf(1000, bytesOf(hex))],
      closes: 1007,
    },
  ]),
];

const goodCodes = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999];
const badCodes = [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535];
const hello = text("Hello");
const closing: EchoCase[] = [
  { name: "7.1.1 a message, then close", send: [hello, closeFrameOf(1000)], answers: [textEcho("Hello")] },
  { name: "7.1.2 two closes", send: [closeFrameOf(1000), closeFrameOf(1000)] },
  { name: "7.1.3 a ping after close gets no pong", send: [closeFrameOf(1000), frameOf(ping, "late")] },
  { name: "7.1.4 a text after close gets no echo", send: [closeFrameOf(1000), hello] },
  {
    name: "7.1.5 a fragment, close, the other fragment",
    send: [frameOf(1, "a", { fin: false }), closeFrameOf(1000), frameOf(continuation, "b")],
  },
  {
    name: "7.1.6 the largest message and close at once",
    send: [frameOf(binary, Buffer.alloc(limits.maxFrameBytes, 7)), closeFrameOf(1000), frameOf(ping)],
    answers: [echoOf(binary, Buffer.alloc(limits.maxFrameBytes, 7))],
  },
  { name: "7.3.1 close without a code", send: [closeFrameOf()], closes: 1005 },
  { name: "7.3.2 close with one byte", send: [frameOf(close, "a")], closes: 1002 },
  { name: "7.3.4 close with a reason", send: [closeFrameOf(1000, "Hello World!")] },
  { name: "7.3.5 close with the longest reason", send: [closeFrameOf(1000, "*".repeat(123))] },
  { name: "7.3.6 close over 125 bytes", send: [closeFrameOf(1000, "*".repeat(124))], closes: 1002 },
  ...goodCodes.map((code) => ({ name: `7.7 code ${code}`, section: "7.4", send: [closeFrameOf(code)], closes: code })),
  ...badCodes.map((code) => ({ name: `7.9 code ${code}`, section: "7.4", send: [closeFrameOf(code)], closes: 1002 })),
].map((each) => ({ section: "5.5.1", ...each }));

const cut = (bytes: number, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes / size) }, (_, i) => Buffer.alloc(Math.min(size, bytes - i * size), i));
const { maxFrameBytes, maxFragmentsPerMessage } = limits;
const bounds: EchoCase[] = [
  ...[4_096, 16_384, maxFrameBytes / maxFragmentsPerMessage].map((size) => ({
    name: `9.3 the largest message in fragments of ${size}`,
    section: "5.4",
    send: fragments(binary, cut(maxFrameBytes, size)),
    answers: [echoOf(binary, Buffer.concat(cut(maxFrameBytes, size)))],
  })),
  ...[1, 2, 3, 7].map((pieceBytes) => ({
    name: `9.5 900 bytes in pieces of ${pieceBytes}`,
    section: "5.4",
    send: [frameOf(binary, Buffer.alloc(900, pieceBytes))],
    pieceBytes,
    answers: [echoOf(binary, Buffer.alloc(900, pieceBytes))],
  })),
  ...[64, 128, 256, 512, 1_024].map((pieceBytes) => ({
    name: `9.5 the largest message in pieces of ${pieceBytes}`,
    section: "5.4",
    send: [frameOf(binary, Buffer.alloc(maxFrameBytes, 5))],
    pieceBytes,
    answers: [echoOf(binary, Buffer.alloc(maxFrameBytes, 5))],
  })),
  ...[0, 16, 64, 256, 1_024].map((bytes) => ({
    name: `9.7 a thousand messages of ${bytes}`,
    section: "5.4",
    send: Array.from({ length: 1_000 }, (_, i) => frameOf(binary, Buffer.alloc(bytes, i))),
    answers: Array.from({ length: 1_000 }, (_, i) => echoOf(binary, Buffer.alloc(bytes, i))),
  })),
  {
    name: "one byte over the largest message",
    section: "7.4.1",
    send: [frameOf(binary, Buffer.alloc(maxFrameBytes + 1))],
    closes: 1009,
  },
  {
    name: "one byte over, in fragments",
    section: "7.4.1",
    send: fragments(binary, [Buffer.alloc(maxFrameBytes), Buffer.alloc(1)]),
    closes: 1009,
  },
  {
    name: "only announced",
    section: "7.4.1",
    send: [frameOf(binary, "", { announcedBytes: 2n ** 40n })],
    closes: 1009,
  },
  {
    name: "one fragment too many",
    section: "7.4.1",
    send: fragments(binary, cut(maxFragmentsPerMessage + 1, 1)),
    closes: 1008,
  },
  {
    name: "ping while a large message is on its way",
    section: "5.4",
    send: [frameOf(ping, "p"), frameOf(binary, "x")],
    answers: [pong("p"), echoOf(binary, "x")],
  },
];

/** Sections 6, 7 and 9 of Autobahn's suite. */
export const contentCases: readonly EchoCase[] = [...utf8, ...closing, ...bounds];
