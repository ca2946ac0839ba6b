import { workerData } from "node:worker_threads";
import { serveWorker } from "../sqlite/serve-worker.ts";
import { openMessageDatabase } from "./message-database.ts";

serveWorker(() => openMessageDatabase((workerData as { file: string }).file));
