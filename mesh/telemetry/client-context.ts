import { noBytes } from "../rpc/call.ts";

/** Header with a token of support, see makeTraceToken. */
const traceTokenHeader = "chappe-trace-token";

/** What HTTP or gRPC headers say of the trace that a client is in, in the form in which packets carry it. */
export function clientContextOf(header: (name: string) => string | null | undefined): Uint8Array {
  const traceparent = header("traceparent") ?? "";
  const token = header(traceTokenHeader) ?? "";
  if (traceparent === "" && token === "") return noBytes;
  // A token without a trace: any will do, it is only linked.
  const context = traceparent === "" ? `00-${"0".repeat(31)}1-${"0".repeat(15)}1-00` : traceparent;
  return Buffer.from(token === "" ? context : `${context};${token}`, "latin1");
}
