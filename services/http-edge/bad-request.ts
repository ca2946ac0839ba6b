import type { Duplex } from "node:stream";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { toConnectError } from "@chappe/mesh/rpc/connect-errors.ts";
import { errorToJsonBytes } from "@connectrpc/connect/protocol-connect";

interface Answer {
  readonly status: string;
  readonly error: ChappeError;
}

function answerOf(code: string | undefined): Answer {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return {
        status: "408 Request Timeout",
        error: new ChappeError("DEADLINE_EXCEEDED", "the request did not arrive in time"),
      };
    case "HPE_HEADER_OVERFLOW": {
      const message = `the headers are over ${limits.maxHttpHeaderBytes} bytes`;
      const violations = [{ field: "headers", rule: "bytes.max_len", message }];
      return {
        status: "431 Request Header Fields Too Large",
        error: new ChappeError("FRAME_TOO_LARGE", message, { violations }),
      };
    }
    default:
      return { status: "400 Bad Request", error: new ChappeError("MALFORMED_FRAME", "the request is not HTTP/1.1") };
  }
}

/** Answers what the HTTP parser refused, or what came too late, with a Connect error; for `clientError` of a server. */
export function answerBadRequest(cause: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || cause.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const { status, error } = answerOf(cause.code);
  const body = Buffer.from(errorToJsonBytes(toConnectError(error), undefined));
  const head = [
    `HTTP/1.1 ${status}`,
    "Connection: close",
    "Content-Type: application/json",
    `Content-Length: ${body.byteLength}`,
  ];
  socket.end(Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), body]));
}
