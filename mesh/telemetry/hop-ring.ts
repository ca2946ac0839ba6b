import { idWordAt } from "./id-word.ts";

/**
 * What passed a role lately: one entry for a hop of a message or of a run of messages, in arrays made once. The newest
 * overwrites the oldest. An entry is named by its place, which counts for ever. Columns are read with `indexOf(place)`.
 */
export class HopRing {
  readonly size: number;
  /** Place of the next entry. */
  next = 0;
  readonly hop: Uint8Array;
  /** Four words of the client message id; zeros for runs. */
  readonly ids: Uint32Array;
  /** conversationHashAt; 0 = not known. */
  readonly conversation: Uint32Array;
  /** 0 = not known. */
  readonly firstSeq: Float64Array;
  readonly lastSeq: Float64Array;
  /** Unix milliseconds. */
  readonly startMs: Float64Array;
  /** Unix milliseconds; 0 = not over. */
  readonly endMs: Float64Array;
  /** Of hops of one device alone. */
  readonly connection: BigUint64Array;
  /** Name of the Login that it is for, as a part of span ids. */
  readonly peer: Uint32Array;
  /** Devices, of RESOLVE and LOGIN_OUT. */
  readonly count: Uint32Array;
  /** Recipients without a device, of RESOLVE and OFFLINE. */
  readonly offline: Uint32Array;
  /** Number in the error registry; 0 = none. */
  readonly error: Uint16Array;
  /** 1 = the hop before it is not a hop of the mesh; 2 = the client has a span of its own. */
  readonly flags: Uint8Array;
  readonly #mask: number;

  /** `size` = entries, a power of two. */
  constructor(size: number) {
    this.size = size;
    this.#mask = size - 1;
    this.hop = new Uint8Array(size);
    this.ids = new Uint32Array(size * 4);
    this.conversation = new Uint32Array(size);
    this.firstSeq = new Float64Array(size);
    this.lastSeq = new Float64Array(size);
    this.startMs = new Float64Array(size);
    this.endMs = new Float64Array(size);
    this.connection = new BigUint64Array(size);
    this.peer = new Uint32Array(size);
    this.count = new Uint32Array(size);
    this.offline = new Uint32Array(size);
    this.error = new Uint16Array(size);
    this.flags = new Uint8Array(size);
  }

  /**
   * Adds an entry and answers its index. Of what is not given, id, seq, error and flags are 0; the caller sets conversation and
   * the columns that its kind of hop has: what stands in the others is left from an older entry and is never read.
   */
  add(hop: number, startMs: number, endMs: number): number {
    const at = this.next++ & this.#mask;
    this.hop[at] = hop;
    this.startMs[at] = startMs;
    this.endMs[at] = endMs;
    this.ids[at << 2] = 0;
    this.lastSeq[at] = 0;
    this.error[at] = 0;
    this.flags[at] = 0;
    return at;
  }

  /** Adds the hop of one message whose id is at an offset of `bytes`. */
  addMessage(hop: number, startMs: number, endMs: number, bytes: Uint8Array, idAt: number): number {
    const at = this.add(hop, startMs, endMs);
    const word = at << 2;
    for (let i = 0; i < 4; i++) this.ids[word + i] = idWordAt(bytes, idAt + i * 4);
    return at;
  }

  /** Index of a place that is still there; -1 = overwritten or not written yet. */
  indexOf(place: number): number {
    return place < this.next && this.next - place <= this.size ? place & this.#mask : -1;
  }

  /** Whether the entry is of one message whose id is known. The first word of an id is its time, never 0. */
  isMessage(at: number): boolean {
    return this.ids[at << 2] !== 0;
  }

  /** Whether the entry is of the message with this id. Word by word: asked for every entry of every marked message. */
  isOf(at: number, id: Uint8Array): boolean {
    const word = at << 2;
    for (let i = 0; i < 4; i++) if (this.ids[word + i] !== idWordAt(id, i * 4)) return false;
    return true;
  }

  /** The client message id of an entry; of a run, 16 zeros. */
  idOf(at: number): Uint8Array {
    const id = new Uint8Array(16);
    const view = new DataView(id.buffer);
    for (let i = 0; i < 4; i++) view.setUint32(i * 4, this.ids[(at << 2) + i]!);
    return id;
  }
}
