import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { validateEnvoyFile } from "@chappe/mesh/dev-engines/start-envoy.ts";
import { dynamicFiles, endpointFiles, staticFiles } from "@chappe/mesh/envoy/envoy-files.ts";
import { parseEnvoySettings, readEnvoySettings } from "@chappe/mesh/envoy/envoy-settings.ts";
import { writeEnvoyFiles } from "@chappe/mesh/envoy/write-envoy-files.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";

const usage = `usage: envoy config --out DIR [--settings FILE] [--dynamic] | envoy check --out DIR
  config  writes envoy.yaml, with the Login processes of the settings; --dynamic: with files that are watched
  check   has Envoy itself check DIR/envoy.yaml (fetches it once)`;

/** `chappe envoy ...`: configurations of the Envoy before Login. Answers what to print. */
export async function runEnvoyCommand(args: readonly string[]): Promise<string> {
  const options = { out: { type: "string" }, settings: { type: "string" }, dynamic: { type: "boolean" } } as const;
  let read: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    read = parseArgs({ args: [...args], allowPositionals: true, options });
  } catch (cause) {
    throw new ChappeError("INVALID_ARGUMENT", `${(cause as Error).message}\n${usage}`, { cause });
  }
  const { positionals, values } = read;
  const [command] = positionals;
  if (positionals.length !== 1 || values.out === undefined || (command !== "config" && command !== "check"))
    throw new ChappeError("INVALID_ARGUMENT", usage);
  const out = resolve(values.out);
  if (command === "check") {
    await validateEnvoyFile(join(out, "envoy.yaml"));
    return `${join(out, "envoy.yaml")} is good`;
  }
  const settings = values.settings === undefined ? parseEnvoySettings({}) : readEnvoySettings(values.settings);
  const files =
    values.dynamic === true
      ? { ...dynamicFiles(settings, out), ...endpointFiles(settings, settings.logins) }
      : staticFiles(settings);
  writeEnvoyFiles(out, files);
  return Object.keys(files)
    .map((name) => join(out, name))
    .join("\n");
}
