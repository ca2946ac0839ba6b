import type { Server, ServerDuplexStream, ServiceDefinition } from "@grpc/grpc-js";
import { Metadata, status } from "@grpc/grpc-js";
import { type Logger, silentLogger } from "../lifecycle/logger.ts";
import { limits } from "../limits.ts";
import type { Router } from "../rpc/call.ts";
import type { TimerWheel } from "../timers/timer-wheel.ts";
import type { Link, LinkPeer } from "./link.ts";
import { LinkEnd } from "./link-end.ts";
import { answererProof, callerProof, isSameProof } from "./link-proof.ts";
import { bufferOf, decodeHello, encodeHello, linkMetadata, openMethod } from "./link-wire.ts";

/** What serveLinks needs. */
export interface LinkServerOptions {
  /** Takes the service; its listening and its end are the owner's. */
  readonly server: Server;
  /** Who answers. */
  readonly self: LinkPeer;
  readonly secret: Uint8Array;
  /** Answers the calls of all links. */
  readonly handler: Router;
  /** A process has come; its calls are taken from now on. */
  readonly onLink: (link: Link) => void;
  readonly wheel: TimerWheel;
  /** @default says nothing */
  readonly logger?: Logger;
}

/** Links that others have opened. */
export interface LinkServer {
  readonly links: ReadonlySet<Link>;
  /** Tells all to call no more. */
  goAway(): void;
  close(): void;
}

type Stream = ServerDuplexStream<Buffer, Buffer>;

const definition: ServiceDefinition = { open: openMethod };
const streamEnds = ["end", "cancelled", "close", "error"] as const;

function refuse(stream: Stream, code: status, details: string): void {
  stream.emit("error", { code, details, metadata: new Metadata() });
}

/** The proof that the caller gave, when it is a good one. */
function checkedProof({ metadata }: Stream, secret: Uint8Array): { instanceId: string; proof: Uint8Array } | undefined {
  const instanceId = String(metadata.get(linkMetadata.instance)[0] ?? "");
  const timeMs = Number(metadata.get(linkMetadata.timeMs)[0]);
  const proof = metadata.get(linkMetadata.proof)[0];
  if (instanceId === "" || !(proof instanceof Buffer)) return undefined;
  if (!(Math.abs(Date.now() - timeMs) <= limits.linkProofAgeMs)) return undefined;
  return isSameProof(callerProof(secret, instanceId, timeMs), proof) ? { instanceId, proof } : undefined;
}

/** Serves LinkService on a gRPC server: UNAUTHENTICATED for callers that do not know the secret. */
export function serveLinks(options: LinkServerOptions): LinkServer {
  const { server, self, secret, handler, onLink, wheel, logger = silentLogger } = options;
  const links = new Set<LinkEnd>();

  const openLink = (stream: Stream, peer: LinkPeer): LinkEnd => {
    const link = new LinkEnd({
      peer,
      handler,
      wheel,
      stream: { write: (frame) => stream.write(bufferOf(frame)), destroy: () => void stream.end() },
    });
    stream.on("drain", () => link.onDrain());
    links.add(link);
    void link.closed.then(() => links.delete(link));
    void link.closed.then(() => logger.info("link.closed", { peer: peer.instanceId }));
    logger.info("link.opened", { peer: peer.instanceId });
    onLink(link);
    return link;
  };
  const onOpen = (stream: Stream): void => {
    const checked = checkedProof(stream, secret);
    if (checked === undefined) return refuse(stream, status.UNAUTHENTICATED, "The proof of the link is not good.");
    if (links.size >= limits.maxLinks) return refuse(stream, status.RESOURCE_EXHAUSTED, "There are too many links.");
    let link: LinkEnd | undefined;
    stream.on("data", (frame: Buffer) => {
      if (link !== undefined) return link.onFrame(frame);
      try {
        const peer = decodeHello(frame);
        if (peer.instanceId !== checked.instanceId) throw new Error("The hello names another process.");
        stream.write(encodeHello(self, answererProof(secret, self.instanceId, checked.proof)));
        link = openLink(stream, { instanceId: peer.instanceId, svids: peer.svids });
      } catch (error) {
        refuse(stream, status.INVALID_ARGUMENT, (error as Error).message);
      }
    });
    for (const event of streamEnds) stream.on(event, () => link?.onStreamClosed());
  };
  server.addService(definition, { open: onOpen });
  return {
    links,
    goAway() {
      for (const link of links) link.goAway();
    },
    close() {
      for (const link of [...links]) link.close();
    },
  };
}
