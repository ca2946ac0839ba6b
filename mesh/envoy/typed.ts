import type { Yaml } from "./to-yaml.ts";

/** A message in an Any, as Envoy writes it. */
export const any = (type: string, fields: Readonly<Record<string, Yaml | undefined>> = {}): Yaml => ({
  "@type": `type.googleapis.com/${type}`,
  ...fields,
});

/** An extension with its settings. */
export const typed = (name: string, type: string, fields: Readonly<Record<string, Yaml | undefined>> = {}): Yaml => ({
  name,
  typed_config: any(type, fields),
});

/** A duration as protobuf's JSON has it. */
export const duration = (ms: number): string => `${ms / 1000}s`;

/** "host:port" or "[v6]:port" as an address. */
export function socketAddress(address: string, protocol?: "UDP"): Yaml {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[|\]$/g, "");
  return {
    socket_address: { protocol, address: host, port_value: Number(address.slice(colon + 1)) },
  };
}

/** So many at once, and so many more each second. */
export const tokenBucket = (perSecond: number): Yaml => ({
  max_tokens: perSecond,
  tokens_per_fill: perSecond,
  fill_interval: "1s",
});
