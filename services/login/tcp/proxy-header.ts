import { limits } from "@chappe/mesh/limits.ts";

const signature = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
const fixedBytes = 16;
const addressBytes: Readonly<Record<number, number>> = { 17: 4, 33: 16 };

/** What stands at the start of a connection from a trusted proxy. */
export interface ProxyHeader {
  /** Bytes of the header. */
  readonly bytes: number;
  /** The client; undefined = the proxy speaks for itself. */
  readonly address: string | undefined;
}

function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff;
  return isMapped ? bytes.subarray(12).join(".") : groups.join(":");
}

/** Reads a PROXY protocol v2 header of TCP. "more" = it is not whole yet, "bad" = it is none. */
export function readProxyHeader(bytes: Buffer): ProxyHeader | "more" | "bad" {
  const known = Math.min(bytes.length, signature.length);
  if (!bytes.subarray(0, known).equals(signature.subarray(0, known))) return "bad";
  if (bytes.length < fixedBytes) return "more";
  const command = bytes[12]!;
  const headerBytes = fixedBytes + bytes.readUInt16BE(14);
  if ((command !== 0x20 && command !== 0x21) || headerBytes > limits.maxProxyHeaderBytes) return "bad";
  if (bytes.length < headerBytes) return "more";
  if (command === 0x20) return { bytes: headerBytes, address: undefined };
  const length = addressBytes[bytes[13]!];
  if (length === undefined || headerBytes < fixedBytes + 2 * length + 4) return "bad";
  const source = bytes.subarray(fixedBytes, fixedBytes + length);
  return { bytes: headerBytes, address: length === 4 ? source.join(".") : ipv6(source) };
}
