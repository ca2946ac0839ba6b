import type { ServerResponse } from "node:http";

/** Ends the response with one line of text. */
export function answerPlain(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.end(`${text}\n`);
}

/** Answers /livez (the process turns) and /readyz (it can do its work); false = the path is neither. */
export function answerProbe(path: string, response: ServerResponse, ready: () => boolean): boolean {
  if (path === "/livez") answerPlain(response, 200, "ok");
  else if (path !== "/readyz") return false;
  else if (ready()) answerPlain(response, 200, "ok");
  else answerPlain(response, 503, "not ready");
  return true;
}
