import { createMemoryPresence } from "@chappe/mesh/engines/memory-presence/memory-presence.ts";
import { TimerWheel } from "@chappe/mesh/timers/timer-wheel.ts";
import { describePresence } from "./presence-conformance.ts";

describePresence("memory", async () => {
  let clockMs = 0;
  const wheel = new TimerWheel({ now: () => clockMs, automatic: false });
  const presence = createMemoryPresence({ wheel });
  return {
    presence,
    async passMs(ms) {
      clockMs += ms;
      wheel.advance();
    },
    async settled() {},
    async close() {
      await presence.close();
      wheel.close();
    },
  };
});
