import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  FindHopsRequestSchema,
  type FindHopsResponse,
  FindHopsResponseSchema,
  MarkRequestSchema,
  type TraceHubService,
  type TraceMark,
  TraceService,
} from "@chappe/gen/proto/chappe/mesh/v1/trace_service_pb.ts";
import { limits } from "@chappe/mesh/limits.ts";
import { noBytes } from "@chappe/mesh/rpc/call.ts";
import { svidOf } from "@chappe/mesh/rpc/contracts.ts";
import { internalIdentity } from "@chappe/mesh/rpc/identity.ts";
import { methodContractOf } from "@chappe/mesh/rpc/method-contracts.ts";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Route } from "./create-route.ts";

const svid = svidOf(TraceService);

/** Calls TraceService of every process that is attached; those that do not answer are undefined. */
function callAll(route: Route, cmd: number, payload: Uint8Array, targets: readonly string[]) {
  const common = { svid, cmd, payload, identity: internalIdentity, affinity: noBytes, traceContext: noBytes };
  const deadlineMs = Date.now() + limits.traceCallTimeoutMs;
  return Promise.all(
    targets.map((target) => route.call({ ...common, target, deadlineMs }).catch((): undefined => undefined)),
  );
}

/** The first of these that knows the message best. */
function bestOf(marks: readonly (TraceMark | undefined)[]): TraceMark | undefined {
  const known = marks.filter((mark) => mark !== undefined);
  return known.find(({ seq, clientMessageId }) => seq > 0n && clientMessageId.length > 0) ?? known[0];
}

/** TraceHubService of a Route: it passes on to TraceService of every process that it has a link to, `self` among them. */
export function createTraceHub(route: Route, self: string): ServiceImpl<typeof TraceHubService> {
  const targetsOf = (hereOnly: boolean): readonly string[] => (hereOnly ? [self] : route.idsOf(svid));
  return {
    async markAll({ marks, hereOnly }) {
      const payload = toBinary(MarkRequestSchema, create(MarkRequestSchema, { marks }));
      await callAll(route, methodContractOf(TraceService.method.mark).cmd, payload, targetsOf(hereOnly));
      return {};
    },
    async findAllHops({ message, hereOnly }) {
      const payload = toBinary(FindHopsRequestSchema, create(FindHopsRequestSchema, { message: message! }));
      const { cmd } = methodContractOf(TraceService.method.findHops);
      const answers = await callAll(route, cmd, payload, targetsOf(hereOnly));
      const found: FindHopsResponse[] = answers.flatMap((answer) =>
        answer === undefined ? [] : [fromBinary(FindHopsResponseSchema, answer)],
      );
      const best = bestOf(found.map((one) => one.message));
      const hops = found.flatMap((one) => one.hops);
      return { hops, silent: answers.length - found.length, ...(best && { message: best }) };
    },
  };
}
