/** A program: starts a Redis server, says its pid and where it keeps its data, and waits to be killed. */
import { startRedis } from "@chappe/mesh/dev-engines/start-redis.ts";

const { nodes } = await startRedis({ nodes: 1 });
console.log(JSON.stringify({ pid: nodes[0]!.pid, logFile: nodes[0]!.logFile }));
