import type { Server, ServerDuplexStream, ServiceDefinition } from "@grpc/grpc-js";
import { Metadata, status } from "@grpc/grpc-js";
import { ChappeError } from "../errors/chappe-error.ts";
import { type Logger, silentLogger } from "../lifecycle/logger.ts";
import { limits } from "../limits.ts";
import type { Router } from "../rpc/call.ts";
import type { TimerWheel } from "../timers/timer-wheel.ts";
import type { AuthenticatedCall } from "../tls/open-mesh-tls.ts";
import type { Link, LinkPeer } from "./link.ts";
import { LinkEnd, type LinkEndOptions } from "./link-end.ts";
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
  /**
   * Answers with the handler for one caller, by what its certificate proves; throws when it may not open a link as it
   * wants to. @default everybody has `handler`
   */
  readonly admit?: (caller: AuthenticatedCall, peer: LinkPeer) => Router;
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

const codeOf = (error: unknown): status =>
  ChappeError.is(error, "PERMISSION_DENIED") ? status.PERMISSION_DENIED : status.INVALID_ARGUMENT;

/** The proof that the caller gave, when it is a good one. */
function checkedProof({ metadata }: Stream, secret: Uint8Array): { instanceId: string; proof: Uint8Array } | undefined {
  const instanceId = String(metadata.get(linkMetadata.instance)[0] ?? "");
  const timeMs = Number(metadata.get(linkMetadata.timeMs)[0]);
  const proof = metadata.get(linkMetadata.proof)[0];
  if (instanceId === "" || !(proof instanceof Buffer)) return undefined;
  if (!(Math.abs(Date.now() - timeMs) <= limits.linkProofAgeMs)) return undefined;
  return isSameProof(callerProof(secret, instanceId, timeMs), proof) ? { instanceId, proof } : undefined;
}

const endOf = (stream: Stream, fields: Omit<LinkEndOptions, "stream">): LinkEnd =>
  new LinkEnd({
    ...fields,
    stream: { write: (frame) => stream.write(bufferOf(frame)), destroy: () => void stream.end() },
  });

/** Serves LinkService on a gRPC server: UNAUTHENTICATED for callers that do not know the secret. */
export function serveLinks(options: LinkServerOptions): LinkServer {
  const { server, self, secret, onLink, wheel, logger = silentLogger } = options;
  const { admit = () => options.handler } = options;
  const links = new Set<LinkEnd>();

  const openLink = (stream: Stream, peer: LinkPeer, handler: Router): LinkEnd => {
    const link = endOf(stream, { peer, handler, wheel });
    stream.on("drain", () => link.onDrain());
    links.add(link);
    void link.closed.then(() => {
      links.delete(link);
      logger.info("link.closed", { peer: peer.instanceId });
    });
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
        const handler = admit(stream, peer);
        stream.write(encodeHello(self, answererProof(secret, self.instanceId, checked.proof)));
        link = openLink(stream, { instanceId: peer.instanceId, svids: peer.svids }, handler);
      } catch (error) {
        logger.warn("link.refused", { peer: checked.instanceId, error });
        refuse(stream, codeOf(error), (error as Error).message);
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
