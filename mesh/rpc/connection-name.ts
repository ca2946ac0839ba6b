const form = /^([a-z0-9-]{1,64})\/(\d{1,20})$/;
const maxId = 2n ** 64n;

/** A connection as backends name it. */
export interface NamedConnection {
  readonly loginId: string;
  readonly connectionId: bigint;
}

/** Reads the metadata "chappe-connection"; undefined when it is none. */
export function parseConnectionName(text: string): NamedConnection | undefined {
  const [, loginId, digits] = form.exec(text) ?? [];
  if (loginId === undefined || digits === undefined) return undefined;
  const connectionId = BigInt(digits);
  return connectionId < maxId ? { loginId, connectionId } : undefined;
}
