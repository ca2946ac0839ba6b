/** A role of this process. */
export interface RunningRole {
  /** Whether it can do its work now: not while it drains, nor without a Route. */
  ready(): boolean;
  /** What an operator must look at; undefined = nothing. */
  remark?(): string | undefined;
  /** Takes nothing new and lets what is in hand end, for at most as long as `signal` lets it. */
  drain(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Stops it. */
  close(): Promise<void>;
}
