import { workerData } from "node:worker_threads";
import { serveWorker } from "../sqlite/serve-worker.ts";
import { openBusinessDatabase } from "./business-database.ts";

serveWorker(() => openBusinessDatabase((workerData as { file: string }).file));
