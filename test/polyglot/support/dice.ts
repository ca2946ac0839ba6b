import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DescMethodUnary, DescService, Message } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { compileContracts } from "../../contracts/compile-contracts.ts";
import { examples } from "./run-tool.ts";

const path = "example/dice/v1/dice_service.proto";

/** Answer of DiceService.WhoAmI. */
export interface WhoAmI {
  readonly userId: bigint;
  readonly kind: string;
  readonly traceparent: string;
  readonly remainingMs: bigint;
  readonly instanceId: string;
  readonly language: string;
}

/** How a call is made. */
export interface DiceCallOptions {
  readonly timeoutMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The service of a compiled contract text. */
export function compileService(text: string, at: string, typeName: string): DescService {
  const service = compileContracts({ [at]: text })
    .flatMap((file) => file.services)
    .find((one) => one.typeName === typeName);
  if (service === undefined) throw new Error(`${typeName} is not in ${at}`);
  return service;
}

/** The contract of the example backends. */
export const compileDice = (): DescService =>
  compileService(readFileSync(join(examples, "proto", path), "utf8"), path, "example.dice.v1.DiceService");

/** Calls a method of any service over a transport, untyped: the contract is compiled by the test. */
export async function callMethod<T = Message>(
  transport: Transport,
  service: DescService,
  name: string,
  input: Record<string, unknown>,
  { timeoutMs, headers }: DiceCallOptions = {},
): Promise<T> {
  const method = service.methods.find((one) => one.localName === name) as DescMethodUnary;
  const { message } = await transport.unary(method, undefined, timeoutMs, headers, input);
  return message as T;
}
