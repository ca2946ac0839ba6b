/** The trees of messages' traces, as treeOf writes them. */

const inMesh = [
  "append messages < send messages",
  "msg-proxy authorise < route up",
  "msg-writer commit < process messages",
  "process messages < send messages",
  "process push < send push",
  "route up < login in",
  "send messages < msg-proxy authorise",
  "send push < process messages",
];
const down = ["push-worker deliver < process push"];
const downByRoute = [...down, "login out < route down", "route down < push-worker deliver"];
const downAtOnce = [...down, "login out < push-worker deliver"];
const fromClient = ["client send < ", "login in < client send"];
const atDevice = ["device receive < login out", "device ack < device receive"];

/** From an SDK's send to an SDK's acknowledgement; `hasRoute` = deliveries go by way of a Route. */
export const treeOfClients = (hasRoute: boolean): string[] =>
  [...fromClient, ...inMesh, ...(hasRoute ? downByRoute : downAtOnce), ...atDevice].sort();

/** The same for recipients without a device. */
export const treeOfOffline: readonly string[] = [...fromClient, ...inMesh, "push offline < process push"].sort();

/** The way up of a message whose client has no spans of its own: it begins at Login. */
export const wayUp: readonly string[] = ["login in < ", ...inMesh].sort();

/** The way down to such a client, as far as the acknowledgement. */
export const wayDown = (hasRoute: boolean): string[] =>
  ["device ack < login out", ...(hasRoute ? downByRoute : downAtOnce)].sort();

/** What comes to both where presence and the hot window are Redis. */
export const callsOfRedis: readonly string[] = [
  "append hot-window < process messages",
  "look-up presence < process push",
];

/** The names of a tree's spans, each as often as it has lines. */
export const namesOf = (tree: readonly string[]): string[] => tree.map((line) => line.split(" < ")[0]!);
