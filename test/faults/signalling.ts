import { type Act, type Harm, harmOf } from "./act.ts";

const harms: readonly Harm[] = ["kill", "stall", "drain"];

/** Login, Route and Online twice each, and core. */
export const signallingMembers: Readonly<Record<string, string>> = {
  "route-1": "route",
  "route-2": "route",
  core: "core",
  "online-1": "online",
  "online-2": "online",
  "login-1": "login",
  "login-2": "login",
};

/** The same with Online in Login's processes. */
export const foldedMembers: Readonly<Record<string, string>> = {
  "route-1": "route",
  "route-2": "route",
  core: "core",
  "login-1": "login,online",
  "login-2": "login,online",
};

/** Every harm to one process of each kind, and then to its twin. */
export function everyAct(members: Readonly<Record<string, string>>): Act[] {
  return Object.keys(members).flatMap((name, index) =>
    name.endsWith("-2") ? [harmOf(harms[index % harms.length]!, name)] : harms.map((harm) => harmOf(harm, name)),
  );
}
