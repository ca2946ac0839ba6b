import { describe, expect, test } from "vitest";
import { lengthHeader, TcpFrames } from "./tcp-frames.ts";

const setUp = (maxFrameBytes = 1_000) => {
  const got: string[] = [];
  const sink = {
    maxFrameBytes,
    ended: false,
    onFrame: (frame: Buffer) => void got.push(frame.toString()),
    onFrameTooLarge() {
      got.push("too large");
      this.ended = true;
    },
  };
  return { got, sink, frames: new TcpFrames() };
};
const framed = (...texts: string[]): Buffer =>
  Buffer.concat(texts.flatMap((text) => [lengthHeader(text.length), Buffer.from(text)]));
const long = "x".repeat(900);

describe("TcpFrames", () => {
  test.each([1, 2, 3, 4, 5, 7, 300, 903, 905, 10_000])("pieces of %i bytes", (size) => {
    const { got, sink, frames } = setUp();
    const bytes = framed("one", "", "two", long, "z");
    for (let at = 0; at < bytes.length; at += size) frames.push(bytes.subarray(at, at + size), sink);
    expect(got).toEqual(["one", "", "two", long, "z"]);
    expect(frames.isInFrame).toBe(false);
  });

  test.each([1, 100])("an announced frame over the limit, in pieces of %i bytes, is not waited for", (size) => {
    const { got, sink, frames } = setUp(899);
    const bytes = framed("one", long, "two");
    for (let at = 0; at < 12; at += size) frames.push(bytes.subarray(at, Math.min(at + size, 12)), sink);
    expect(got).toEqual(["one", "too large"]);
    frames.push(bytes.subarray(12), sink);
    expect(got).toEqual(["one", "too large"]);
  });

  test("a length of 2^32 - 1 is only a length", () => {
    const { got, sink, frames } = setUp();
    frames.push(Buffer.from([255, 255, 255, 255, 1]), sink);
    expect(got).toEqual(["too large"]);
  });

  test("a frame in pieces is never written to again", () => {
    const kept: Buffer[] = [];
    const sink = { maxFrameBytes: 10, ended: false, onFrame: (f: Buffer) => void kept.push(f), onFrameTooLarge() {} };
    const frames = new TcpFrames();
    for (const byte of framed("abc", "xyz")) frames.push(Buffer.from([byte]), sink);
    expect(kept.map(String)).toEqual(["abc", "xyz"]);
  });
});
