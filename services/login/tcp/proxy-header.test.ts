import { describe, expect, test } from "vitest";
import { readProxyHeader } from "./proxy-header.ts";

const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const header = (command: number, family: number, body: number[]): Buffer =>
  Buffer.concat([signature, Buffer.from([command, family, body.length >> 8, body.length & 255, ...body])]);
const ports = [0x1f, 0x90, 0, 80];
const v4 = header(0x21, 0x11, [203, 0, 113, 9, 10, 0, 0, 1, ...ports]);
const v6body = [0x20, 1, 0xd, 0xb8, ...new Array<number>(11).fill(0), 7, ...new Array<number>(16).fill(0), ...ports];

describe("readProxyHeader", () => {
  test("IPv4, IPv6, with trailing data and type-length-values", () => {
    const more = Buffer.concat([v4, Buffer.from("hello")]);
    expect(readProxyHeader(more)).toEqual({ bytes: v4.length, address: "203.0.113.9" });
    expect(readProxyHeader(header(0x21, 0x21, v6body))).toEqual({ bytes: 52, address: "2001:db8:0:0:0:0:0:7" });
    const tlv = header(0x21, 0x11, [203, 0, 113, 9, 10, 0, 0, 1, ...ports, 4, 0, 1, 0]);
    expect(readProxyHeader(tlv)).toEqual({ bytes: tlv.length, address: "203.0.113.9" });
  });

  test("a proxy that speaks for itself", () => {
    expect(readProxyHeader(header(0x20, 0, []))).toEqual({ bytes: 16, address: undefined });
  });

  test("every part of a header waits for more", () => {
    for (let bytes = 0; bytes < v4.length; bytes++) expect(readProxyHeader(v4.subarray(0, bytes))).toBe("more");
  });

  test.each([
    ["no signature", Buffer.from("GET / HTTP/1.1")],
    ["version 1", Buffer.from("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n")],
    ["a version of the future", header(0x31, 0x11, [])],
    ["UDP", header(0x21, 0x12, [1, 2, 3, 4, 5, 6, 7, 8, ...ports])],
    ["too short for its family", header(0x21, 0x21, [1, 2, 3, 4])],
    ["too long", header(0x21, 0x11, new Array<number>(600).fill(0))],
  ])("%s is bad", (_name, bytes) => {
    expect(readProxyHeader(bytes)).toBe("bad");
  });
});
