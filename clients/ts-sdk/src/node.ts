/** File stores for Node. */
export { createFileCursors } from "./stores/file-cursors.ts";
export { createFileOutbox, type FileOutboxOptions } from "./stores/file-outbox.ts";
