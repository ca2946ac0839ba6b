import type { DescService } from "@bufbuild/protobuf";
import { createContracts, type MethodContract, svidOf } from "./contracts.ts";

/** The addressed methods of one service. Throws when an address is missing or double. */
export function methodContractsOf(service: DescService): readonly MethodContract[] {
  const svid = svidOf(service);
  return createContracts([service.file]).methods.filter((contract) => contract.svid === svid);
}
