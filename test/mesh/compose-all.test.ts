import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { engineVersions } from "@chappe/mesh/dev-engines/engine-defaults.ts";
import { readEnvoySettings } from "@chappe/mesh/envoy/envoy-settings.ts";
import { coreRoles, envoyControl, readConfig, wholeRoles } from "@chappe/services/all/config.ts";
import { settings } from "@chappe/services/all/settings.ts";
import { describe, expect, it } from "vitest";
import { parsePlainYaml } from "../engines/kit/parse-plain-yaml.ts";

const pathOf = (path: string): string => fileURLToPath(new URL(`../../deploy/${path}`, import.meta.url));
const read = (path: string): string => readFileSync(pathOf(path), "utf8");

interface Service {
  readonly image: string;
  readonly network_mode: string;
  readonly command?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const compose = parsePlainYaml(read("compose.all.yaml")) as unknown as Compose & { include: string[] };
const engines = parsePlainYaml(read("compose.yaml")) as unknown as Compose;
const services = Object.entries(compose.services);
const common = Object.fromEntries(
  read("compose/chappe.env")
    .split("\n")
    .flatMap((line) => (line === "" || line.startsWith("#") ? [] : [line.split(/=(.*)/s).slice(0, 2)])),
) as Record<string, string>;
const serving = services.flatMap(([name, { command = "", environment = {} }]) =>
  command.startsWith("serve ")
    ? [{ name, config: readConfig(command.split(" ").slice(1), { ...common, ...environment }) }]
    : [],
);
const configFiles = ["compose/collector.yaml", "compose/jaeger.yaml", "prometheus/prometheus.yaml"];

describe("compose.all.yaml", () => {
  it("has the engines and every role", () => {
    expect(compose.include).toEqual(["compose.yaml"]);
    const roles = serving.flatMap(({ config }) => config.roles).sort();
    const all = [...wholeRoles.filter((role) => role !== "core"), ...coreRoles, envoyControl];
    expect(roles).toEqual([...all].sort());
  });

  it("has pinned images", () => {
    for (const [name, { image }] of services) expect(image, name).toMatch(/^[\w./-]+:v?\d+\.\d+\.\d+$/);
    expect(compose.services.envoy!.image).toBe(`envoyproxy/envoy:v${engineVersions.envoy}`);
  });

  it("listens on loopback alone", () => {
    for (const [name, service] of services) {
      expect(["host", "none"], name).toContain(service.network_mode);
      expect(service.ports, name).toBeUndefined();
    }
    for (const { name, config } of serving)
      expect([config.host, config.linkHost, config.advertiseHost], name).toEqual(Array(3).fill("127.0.0.1"));
    expect(readEnvoySettings(pathOf("compose/envoy-settings.json")).host).toBe("127.0.0.1");
    expect(compose.services.grafana!.environment).toMatchObject({ GF_SERVER_HTTP_ADDR: "127.0.0.1" });
    expect(compose.services.prometheus!.command).toContain("--web.listen-address=127.0.0.1:");
    for (const file of configFiles) {
      const addresses = read(file).match(/[\w.]+:\d{4,5}\b/g)!;
      expect(
        addresses.every((address) => address.startsWith("127.0.0.1:")),
        file,
      ).toBe(true);
    }
  });

  it("gives each process ports of its own, which Prometheus reads", () => {
    const ports = serving.flatMap(({ config: { opsPort, roles, port, grpcPort, tcpPort } }) =>
      roles.includes("login") ? [opsPort, port, grpcPort, tcpPort] : [opsPort],
    );
    expect(new Set(ports).size).toBe(ports.length);
    for (const { config } of serving)
      expect(read("prometheus/prometheus.yaml")).toContain(`- 127.0.0.1:${config.opsPort}\n`);
    for (const [name, { command = "" }] of services) {
      if (command.startsWith("serve ")) expect(JSON.stringify(compose.services[name])).toContain("/readyz");
    }
  });

  it("sets what is a setting, and mounts what is there", () => {
    const known = new Set(settings.map(({ env }) => env));
    for (const variables of [common, ...services.map(([, { environment = {} }]) => environment)]) {
      for (const name of Object.keys(variables)) if (name.startsWith("CHAPPE_")) expect(known, name).toContain(name);
    }
    for (const [name, { volumes = [] }] of services) {
      for (const volume of volumes) {
        const source = volume.split(":")[0]!;
        if (source.startsWith("./")) expect(existsSync(pathOf(source)), `${name}: ${source}`).toBe(true);
        else expect(Object.keys(compose.volumes), name).toContain(source);
      }
    }
  });

  it("waits for services that are there", () => {
    const all = { ...engines.services, ...compose.services };
    for (const [name, { depends_on = {} }] of services)
      for (const other of Object.keys(depends_on)) expect(Object.keys(all), name).toContain(other);
  });
});
