/** The modules of core as processes of their own, twice where the load is. */
export const persistenceMembers: Readonly<Record<string, string>> = {
  "route-1": "route",
  "proxy-1": "msg-proxy",
  "proxy-2": "msg-proxy",
  "writer-1": "msg-writer",
  "writer-2": "msg-writer",
  "reader-1": "msg-reader",
  "reader-2": "msg-reader",
  "push-1": "push",
  "push-2": "push",
  business: "business",
  "login-1": "login,online",
  "login-2": "login,online",
};

/** The same, and old messages move to HBase. */
export const archiveMembers: Readonly<Record<string, string>> = { ...persistenceMembers, archiver: "archiver" };
