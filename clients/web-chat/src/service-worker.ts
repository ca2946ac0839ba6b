/** Keeps the files of the page, so that it can be opened, and its waiting messages seen, while the server is away. */

interface LifeEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}

interface FetchedEvent extends Event {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

interface WorkerScope {
  readonly location: Location;
  skipWaiting(): Promise<void>;
  readonly clients: { claim(): Promise<void> };
  addEventListener(type: "install" | "activate", listener: (event: LifeEvent) => void): void;
  addEventListener(type: "fetch", listener: (event: FetchedEvent) => void): void;
}

const scope = globalThis as unknown as WorkerScope;
const cacheName = "chappe-page";
const paths = ["/", "/main.js", "/style.css", "/icon.svg", "/chat-config.json"];
/** A server that takes longer counts as away. */
const answerTimeoutMs = 4_000;

/** The server's answer, which is kept; without one, what was kept. */
async function answer(request: Request, path: string): Promise<Response> {
  const cache = await caches.open(cacheName);
  try {
    const response = await fetch(request, { signal: AbortSignal.timeout(answerTimeoutMs) });
    if (response.ok) await cache.put(path, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(path);
    if (kept === undefined) throw error;
    return kept;
  }
}

scope.addEventListener("install", (event) => {
  const keepAll = async (): Promise<void> => {
    await (await caches.open(cacheName)).addAll(paths);
    await scope.skipWaiting();
  };
  event.waitUntil(keepAll());
});

scope.addEventListener("activate", (event) => event.waitUntil(scope.clients.claim()));

scope.addEventListener("fetch", (event) => {
  const { origin, pathname } = new URL(event.request.url);
  if (event.request.method === "GET" && origin === scope.location.origin && paths.includes(pathname))
    event.respondWith(answer(event.request, pathname));
});
