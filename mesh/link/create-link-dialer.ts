import {
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
} from "@grpc/grpc-js";
import { ChappeError } from "../errors/chappe-error.ts";
import { type Logger, silentLogger } from "../lifecycle/logger.ts";
import { limits } from "../limits.ts";
import type { Router } from "../rpc/call.ts";
import type { TimerWheel } from "../timers/timer-wheel.ts";
import type { Link, LinkPeer } from "./link.ts";
import { LinkEnd } from "./link-end.ts";
import { answererProof, callerProof, isSameProof } from "./link-proof.ts";
import { bufferOf, decodeHello, encodeHello, linkChannelOptions, linkMetadata, openMethod } from "./link-wire.ts";

/** What createLinkDialer needs. */
export interface LinkDialerOptions {
  /** Who calls. */
  readonly self: LinkPeer;
  readonly secret: Uint8Array;
  /** Answers what the other ends call. */
  readonly handler: Router;
  readonly wheel: TimerWheel;
  /** @default no TLS: the secret alone proves who they are */
  readonly credentials?: ChannelCredentials;
  /** Called after each change of the open links. */
  readonly onChange?: () => void;
  /** @default says nothing */
  readonly logger?: Logger;
}

/** Keeps a link to each of a set of processes. */
export interface LinkDialer {
  /** Those that are open now and not going away, in order of the other end's name. */
  readonly links: readonly Link[];
  /** Replaces the set, "host:port" each: what is new is dialled until it answers, what is no longer there is closed. */
  setAddresses(addresses: readonly string[]): void;
  /** Settles when a link is open; UNAVAILABLE after `timeoutMs`. */
  whenOpen(options: { readonly timeoutMs: number }): Promise<void>;
  close(): void;
}

type Stream = ClientDuplexStream<Buffer, Buffer>;

/** Certificates name roles, not hosts; a name is set because Node takes no IP address for one in TLS. */
const dialOptions: ChannelOptions = { ...linkChannelOptions, "grpc.ssl_target_name_override": "route.chappe" };

function openStream(client: Client, { self, secret }: LinkDialerOptions): { stream: Stream; proof: Buffer } {
  const timeMs = Date.now();
  const proof = callerProof(secret, self.instanceId, timeMs);
  const metadata = new Metadata({ waitForReady: false });
  metadata.set(linkMetadata.instance, self.instanceId);
  metadata.set(linkMetadata.timeMs, String(timeMs));
  metadata.set(linkMetadata.proof, proof);
  const { path, requestSerialize, responseDeserialize } = openMethod;
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
  stream.write(encodeHello(self, new Uint8Array(0)));
  return { stream, proof };
}

/** Opens one link; `onEnd` once it, or the attempt, is over. */
function dialOnce(address: string, options: LinkDialerOptions, onOpen: (link: LinkEnd) => void, onEnd: () => void) {
  const { secret, handler, wheel, logger = silentLogger } = options;
  const client = new Client(address, options.credentials ?? credentials.createInsecure(), dialOptions);
  const { stream, proof } = openStream(client, options);
  let link: LinkEnd | undefined;
  let over = false;
  const end = (): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    link?.onStreamClosed();
    stream.cancel();
    client.close();
    onEnd();
  };
  const timer = setTimeout(end, limits.linkOpenTimeoutMs);
  const onHello = (frame: Buffer): void => {
    const peer = decodeHello(frame);
    if (!isSameProof(answererProof(secret, peer.instanceId, proof), peer.proof)) {
      logger.warn("link.refused", { address, reason: "the other end does not know the secret" });
      return end();
    }
    clearTimeout(timer);
    const frames = { write: (bytes: Uint8Array) => stream.write(bufferOf(bytes)), destroy: end };
    link = new LinkEnd({ peer: { instanceId: peer.instanceId, svids: peer.svids }, stream: frames, handler, wheel });
    onOpen(link);
  };
  stream.on("data", (frame: Buffer) => {
    try {
      if (link === undefined) onHello(frame);
      else link.onFrame(frame);
    } catch {
      end();
    }
  });
  stream.on("drain", () => link?.onDrain());
  stream.on("error", end);
  stream.on("end", end);
  stream.on("close", end);
  return end;
}

/** One address that is dialled again and again. */
class Dialled {
  link: LinkEnd | undefined;
  #endAttempt: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempts = 0;
  #closed = false;
  readonly #address: string;
  readonly #options: LinkDialerOptions;
  readonly #onChange: () => void;

  constructor(address: string, options: LinkDialerOptions, onChange: () => void) {
    this.#address = address;
    this.#options = options;
    this.#onChange = onChange;
    this.#dial();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#endAttempt();
  }

  #dial(): void {
    const onOpen = (link: LinkEnd): void => {
      this.#attempts = 0;
      this.link = link;
      this.#onChange();
    };
    const onEnd = (): void => {
      this.link = undefined;
      if (!this.#closed) {
        const mostMs = Math.min(limits.linkRedialMaxMs, limits.linkRedialMs * 2 ** this.#attempts++);
        this.#timer = setTimeout(() => this.#dial(), mostMs * (0.5 + Math.random() / 2));
      }
      this.#onChange();
    };
    this.#endAttempt = dialOnce(this.#address, this.#options, onOpen, onEnd);
  }
}

/** Dials, and dials again with jitter, whatever addresses it is given. */
export function createLinkDialer(options: LinkDialerOptions): LinkDialer {
  const dialled = new Map<string, Dialled>();
  let waiting: (() => void)[] = [];
  const links = (): LinkEnd[] =>
    [...dialled.values()]
      .flatMap(({ link }) => (link?.isOpen === true ? [link] : []))
      .sort((a, b) => (a.peer.instanceId < b.peer.instanceId ? -1 : 1));
  const onChange = (): void => {
    if (links().length > 0) {
      for (const resolve of waiting) resolve();
      waiting = [];
    }
    options.onChange?.();
  };
  return {
    get links() {
      return links();
    },
    setAddresses(addresses) {
      const wanted = new Set(addresses.slice(0, limits.maxLinks));
      for (const [address, one] of dialled) {
        if (wanted.has(address)) continue;
        dialled.delete(address);
        one.close();
      }
      for (const address of wanted)
        if (!dialled.has(address)) dialled.set(address, new Dialled(address, options, onChange));
    },
    async whenOpen({ timeoutMs }) {
      if (links().length > 0) return;
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new ChappeError("UNAVAILABLE", "No Route could be reached.")), timeoutMs);
      });
      const opened = new Promise<void>((resolve) => waiting.push(resolve));
      await Promise.race([opened, late]).finally(() => clearTimeout(timer));
    },
    close() {
      for (const one of dialled.values()) one.close();
      dialled.clear();
    },
  };
}
