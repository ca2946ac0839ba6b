import { workerData } from "node:worker_threads";
import { serveWorker } from "../sqlite/serve-worker.ts";
import { openHistoryDatabase } from "./history-database.ts";

serveWorker(() => openHistoryDatabase((workerData as { file: string }).file));
