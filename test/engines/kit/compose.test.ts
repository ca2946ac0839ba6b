import { readFileSync } from "node:fs";
import { devEngineNames } from "@chappe/mesh/dev-engines/dev-engine-set.ts";
import {
  devMariadbPassword,
  devPorts,
  devRedisClusterNodes,
  engineVersions,
} from "@chappe/mesh/dev-engines/engine-defaults.ts";
import { describe, expect, it } from "vitest";
import { parsePlainYaml } from "./parse-plain-yaml.ts";

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");

interface Service {
  readonly image: string;
  readonly ports: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly command?: string;
}

const compose = parsePlainYaml(read("deploy/compose.yaml")) as unknown as { services: Record<string, Service> };
const service = (name: string): Service => compose.services[name]!;
const onLoopback = (first: number, count = 1): string[] =>
  Array.from({ length: count }, (_, i) => `127.0.0.1:${first + i}:${first + i}`);

describe("compose.yaml", () => {
  it("has the engines of `chappe engines up`", () => {
    expect(Object.keys(compose.services)).toEqual([...devEngineNames]);
  });

  it("has their versions", () => {
    expect(service("kafka").image).toBe(`apache/kafka:${engineVersions.kafka}`);
    expect(service("mariadb").image).toMatch(
      new RegExp(`^mariadb:${engineVersions.mariadb.replace(".", "\\.")}\\.\\d+$`),
    );
    expect(service("redis").image).toBe(`redis:${engineVersions.redis}`);
    expect(service("redis-cluster").image).toBe(`redis:${engineVersions.redis}`);
    expect(service("hbase").image).toBe(`chappe-hbase:${engineVersions.hbase}`);
    expect(read("mesh/dev-engines/packages/kafka.pom.xml")).toContain(`<version>${engineVersions.kafka}</version>`);
    expect(read("mesh/dev-engines/packages/hbase.pom.xml")).toContain(`<version>${engineVersions.hbase}</version>`);
  });

  it("has their addresses, and none that other machines reach", () => {
    const ports = Object.fromEntries(devEngineNames.map((name) => [name, service(name).ports]));
    expect(ports).toEqual({
      kafka: onLoopback(devPorts.kafka),
      mariadb: onLoopback(devPorts.mariadb),
      redis: onLoopback(devPorts.redis),
      "redis-cluster": onLoopback(devPorts.redisCluster, devRedisClusterNodes),
      hbase: onLoopback(devPorts.hbase, 3),
    });
    const kafka = service("kafka").environment!;
    expect(kafka.KAFKA_ADVERTISED_LISTENERS).toBe(`PLAINTEXT://127.0.0.1:${devPorts.kafka}`);
    expect(service("mariadb").command).toContain(`--port=${devPorts.mariadb} `);
    expect(service("redis").command).toContain(`--port ${devPorts.redis} `);
    const cluster = onLoopback(devPorts.redisCluster, devRedisClusterNodes).map((port) => port.split(":").at(-1));
    expect(service("redis-cluster").command).toMatch(new RegExp(` ${cluster.join(" ")}$`));
    const site = read("deploy/hbase/hbase-site.xml");
    for (const port of [devPorts.hbase, devPorts.hbase + 1, devPorts.hbase + 2])
      expect(site).toContain(`<value>${port}</value>`);
  });

  it("has MariaDB's login", () => {
    expect(service("mariadb").environment).toMatchObject({
      MARIADB_USER: "chappe",
      MARIADB_PASSWORD: devMariadbPassword,
      MARIADB_DATABASE: "chappe",
    });
  });
});

describe("parsePlainYaml", () => {
  it("reads maps, lists and scalars", () => {
    const text = '# a\na:\n  b: x y: z\n  c:\n    - "1"\n    - 2\n\nd: {}\ne:\n';
    expect(parsePlainYaml(text)).toEqual({ a: { b: "x y: z", c: ["1", "2"] }, d: {}, e: "" });
  });

  it.each(["a: 1\na: 2", "a:\n    b: 1\n  c: 2", "- a\nb: 1", "just text"])("refuses %j", (text) => {
    expect(() => parsePlainYaml(text)).toThrow("not plain YAML");
  });
});
