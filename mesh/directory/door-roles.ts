/** Kinds of doors through which clients come into a Login process. */
export type DoorKind = "http" | "grpc" | "tcp" | "udp";

/** Role of the doors of one kind in the Directory; the id of an entry is its process's, and `@n` for the n-th address more. */
export const doorRole = (kind: DoorKind): string => `door-${kind}`;
