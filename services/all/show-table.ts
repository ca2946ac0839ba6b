import { resolve } from "node:path";
import { type Config, isWhole } from "./config.ts";
import { demoAccounts } from "./demo-data.ts";
import type { RunningProcess } from "./start-process.ts";

function wholeRows({ host, dataDirectory, devMode }: Config, { port, listenerPorts = {} }: RunningProcess): string[][] {
  const url = `http://${host}:${port}`;
  const demo = [
    ["demo users", `${demoAccounts.names.join(", ")} (password "${demoAccounts.password}")`],
    ["demo group", demoAccounts.group],
    ["mode", "development: demo accounts with a known password; --no-dev turns them off"],
  ];
  return [
    ["chat page", `${url}/`],
    ["API (Connect JSON, gRPC-web)", url],
    ["long connections", `ws://${host}:${port}/v1/socket`],
    ...Object.entries(listenerPorts).map(([kind, at]) => [`long connections, ${kind}`, `${host}:${at}`]),
    ["data directory", resolve(dataDirectory)],
    ...(devMode ? demo : []),
  ];
}

function roleRows({ host, linkHost, roles, instanceId }: Config, running: RunningProcess): string[][] {
  const { port, linkPort, listenerPorts = {}, workerPids } = running;
  return [
    ["process", instanceId],
    ["roles", roles.join(", ")],
    ...(port === undefined ? [] : [["API and long connections", `http://${host}:${port}`]]),
    ...Object.entries(listenerPorts).map(([kind, at]) => [`long connections, ${kind}`, `${host}:${at}`]),
    ...(linkPort === undefined ? [] : [["links and registrations", `${linkHost}:${linkPort}`]]),
    ...(workerPids === undefined ? [] : [["workers", workerPids.join(", ")]]),
  ];
}

/** What people want to know when a process is up, as a table. */
export function showTable(config: Config, running: RunningProcess): string {
  const rows = isWhole(config) ? wholeRows(config, running) : roleRows(config, running);
  if (running.opsPort !== undefined) {
    const host = config.opsPort === undefined ? "127.0.0.1" : config.host;
    rows.push(["ops page", `http://${host}:${running.opsPort}/`]);
  }
  const width = Math.max(...rows.map(([name]) => name!.length));
  return ["", "Chappe is up.", ...rows.map(([name, value]) => `  ${name!.padEnd(width)}  ${value}`), ""].join("\n");
}
