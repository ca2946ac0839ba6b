/** A generator process: gets one LoadConfig from its parent, answers one LoadAnswer, ends. */
import { runChatLoad } from "./chat-load.ts";
import { runGroupLoad } from "./group-load.ts";
import { runHoldLoad } from "./hold-load.ts";
import { runIdleLoad } from "./idle-load.ts";
import type { LoadAnswer, LoadConfig } from "./load-config.ts";

async function run(config: LoadConfig): Promise<LoadAnswer> {
  try {
    if (config.scenario === "idle") return { idle: await runIdleLoad(config) };
    if (config.scenario === "hold") return { hold: await runHoldLoad(config) };
    return { traffic: config.scenario === "chat" ? await runChatLoad(config) : await runGroupLoad(config) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

process.once("message", (config) => {
  void run(config as LoadConfig).then((answer) => process.send?.(answer, undefined, {}, () => process.exit()));
});
process.once("disconnect", () => process.exit());
