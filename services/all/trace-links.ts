import { create, type DescMethodUnary, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import {
  FindAllHopsRequestSchema,
  type FindAllHopsResponseSchema,
  MarkAllRequestSchema,
  TraceHubService,
} from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { noBytes, type Router } from "@chappe/mesh/rpc/call.ts";
import { internalIdentity } from "@chappe/mesh/rpc/identity.ts";
import { methodContractOf } from "@chappe/mesh/rpc/method-contracts.ts";
import type { Mark, MarkFields } from "@chappe/mesh/telemetry/marks.ts";
import { toTraceMark } from "@chappe/mesh/telemetry/trace-service.ts";

type Found = MessageShape<typeof FindAllHopsResponseSchema>;

/** The other processes of the mesh, for the traces of messages. */
export interface TraceLinks {
  /** Tells them of marks; what is lost is not repeated. */
  mark(marks: readonly Mark[]): void;
  /** Asks all of them; the first Route asks the processes behind it, the others answer for themselves. */
  find(message: MarkFields): Promise<readonly Found[]>;
}

const { markAll, findAllHops } = TraceHubService.method;

async function callHub(link: Router, method: DescMethodUnary, payload: Uint8Array): Promise<Uint8Array> {
  const { svid, cmd } = methodContractOf(method);
  const deadlineMs = Date.now() + 2 * limits.traceCallTimeoutMs;
  const common = { svid, cmd, payload, deadlineMs, identity: internalIdentity };
  return link.call({ ...common, affinity: noBytes, traceContext: noBytes });
}

/** By way of the links to all Routes, or of the Route of this process. */
export function createTraceLinks(links: () => readonly Router[]): TraceLinks {
  return {
    mark(marks) {
      for (const [index, link] of links().entries()) {
        const request = create(MarkAllRequestSchema, { marks: marks.map(toTraceMark), hereOnly: index > 0 });
        callHub(link, markAll, toBinary(MarkAllRequestSchema, request)).catch(() => undefined);
      }
    },
    async find({ id = noBytes, conversation = 0, seq = 0 }) {
      const message = { clientMessageId: id, conversationHash: conversation, seq: BigInt(seq) };
      const answers = await Promise.all(
        links().map(async (link, index) => {
          const request = create(FindAllHopsRequestSchema, { message, hereOnly: index > 0 });
          const answer = await callHub(link, findAllHops, toBinary(FindAllHopsRequestSchema, request)).catch(
            (): undefined => undefined,
          );
          return answer === undefined ? [] : [fromBinary(findAllHops.output, answer)];
        }),
      );
      return answers.flat();
    },
  };
}
