import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { LinkHelloSchema, LinkService, OpenRequestSchema } from "@chappe/gen/proto/chappe/mesh/v1/link_pb.ts";
import type { ChannelOptions } from "@grpc/grpc-js";
import { ChappeError } from "../errors/chappe-error.ts";
import { limits } from "../limits.ts";
import type { LinkPeer } from "./link.ts";

/** Metadata of the opening call. */
export const linkMetadata = {
  instance: "chappe-instance",
  timeMs: "chappe-time-ms",
  proof: "chappe-proof-bin",
} as const;

const asIs = (bytes: Buffer): Buffer => bytes;
const { open } = LinkService.method;

/** LinkService.Open for grpc-js, frames as bytes. */
export const openMethod = {
  path: `/${LinkService.typeName}/${open.name}`,
  requestStream: true,
  responseStream: true,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
} as const;

/** Bounds of the HTTP/2 below. Signs of life are frames of our own. */
export const linkChannelOptions: ChannelOptions = {
  "grpc.max_receive_message_length": limits.maxLinkFrameBytes,
  "grpc.max_send_message_length": limits.maxLinkFrameBytes,
  "grpc-node.flow_control_window": limits.linkWindowBytes,
  "grpc.enable_channelz": 0,
  "grpc.use_local_subchannel_pool": 1,
};

/** The same bytes as a Buffer, which is what grpc-js copies from. */
export const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The first frame of either end. */
export function encodeHello({ instanceId, svids }: LinkPeer, proof: Uint8Array): Buffer {
  const hello = create(LinkHelloSchema, { instanceId, svids: [...svids], proof });
  return bufferOf(toBinary(OpenRequestSchema, create(OpenRequestSchema, { hello })));
}

/** The hello in a first frame. MALFORMED_FRAME when there is none or it names nobody. */
export function decodeHello(frame: Uint8Array): LinkPeer & { readonly proof: Uint8Array } {
  try {
    const { hello } = fromBinary(OpenRequestSchema, frame);
    if (hello !== undefined && hello.instanceId !== "") return hello;
  } catch (cause) {
    throw new ChappeError("MALFORMED_FRAME", undefined, { cause });
  }
  throw new ChappeError("MALFORMED_FRAME", "The first frame has no hello.");
}
