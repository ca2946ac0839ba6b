/** Exceptions that no repetition helps against. */
const final = /NoSuchColumnFamily|AccessDenied|DoNotRetry|UnknownProtocol|NotAllowed|FailedSanityCheck|RpcNoSuchMethod/;

/** What a try at HBase ended with. */
export class HbaseFailure extends Error {
  /** "lost": the server does not answer. "refused": it says no, for good. "moved": elsewhere or later it may say yes. */
  readonly kind: "lost" | "moved" | "refused";

  constructor(kind: HbaseFailure["kind"], message: string) {
    super(message);
    this.name = "HbaseFailure";
    this.kind = kind;
  }

  /** Of an exception of the server, by its Java class. */
  static ofException(className: string): HbaseFailure {
    return new HbaseFailure(final.test(className) ? "refused" : "moved", className);
  }

  /** Of what the library hands to a callback. */
  static ofCall(error: unknown): HbaseFailure {
    const { exceptionClassName } = error as { exceptionClassName?: string | null };
    if (typeof exceptionClassName === "string") return HbaseFailure.ofException(exceptionClassName);
    return new HbaseFailure("lost", error instanceof Error ? error.message : String(error));
  }
}
