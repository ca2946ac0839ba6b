/** The client's send among the places that a message passes: chappe.mesh.v1.Hop. */
const clientSend = 1;

function mix(hash: number, word: number): number {
  let mixed = Math.imul(hash ^ word, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** The id of the span of a message's send, 16 hexadecimal digits: computed, so that the servers know it without being told. */
export function sendSpanId(clientMessageId: Uint8Array): string {
  const view = new DataView(clientMessageId.buffer, clientMessageId.byteOffset, clientMessageId.byteLength);
  let high = mix(0x9e3779b9, clientSend);
  let low = mix(0x7f4a7c15, clientSend);
  for (let at = 0; at < view.byteLength; at += 4) {
    high = mix(high, view.getInt32(at));
    low = mix(low, high ^ view.getInt32(at));
  }
  high = mix(high, 0);
  low = mix(low, high) | 1;
  return [high, low].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}
