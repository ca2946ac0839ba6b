import type { ServerResponse } from "node:http";

/** Ends the response with one line of text. */
export function answerPlain(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.end(`${text}\n`);
}

/** What a process says of itself. */
export interface Readiness {
  /** Whether it can do its work now. */
  readonly ready: () => boolean;
  /** What an operator must look at though it can; undefined = nothing. */
  readonly remark?: () => string | undefined;
}

/** Answers /livez (the process turns) and /readyz (it can do its work), with its remark; false = the path is neither. */
export function answerProbe(path: string, response: ServerResponse, { ready, remark }: Readiness): boolean {
  if (path === "/livez") answerPlain(response, 200, "ok");
  else if (path !== "/readyz") return false;
  else {
    const isReady = ready();
    const more = remark?.();
    answerPlain(
      response,
      isReady ? 200 : 503,
      `${isReady ? "ok" : "not ready"}${more === undefined ? "" : `; ${more}`}`,
    );
  }
  return true;
}
