import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RedisServers, startRedis } from "@chappe/mesh/dev-engines/start-redis.ts";
import { loadSettings } from "../scenarios/bench-server.ts";
import { MeshCertificates } from "./mesh-certificates.ts";
import { type ServerProcess, startServer } from "./start-server.ts";

const defaultRedisNodes = 6;
const listenerFlags = ["--tcp-port", "0", "--grpc-port", "0", "--udp-port", "0"];

/** One process of the mesh, by its name; the roles are those before the number. */
interface Member {
  readonly name: string;
  readonly roles: string;
  readonly args: readonly string[];
  process: ServerProcess;
}

type Environment = Readonly<Record<string, string>>;

/** The processes of a mesh on a Redis Cluster of its own. */
export class MeshProcesses {
  readonly #directory = mkdtempSync(join(tmpdir(), "chappe-mesh-"));
  readonly #members = new Map<string, Member>();
  readonly #certificates = new MeshCertificates(join(this.#directory, "certificates"));
  #redis: RedisServers | undefined;
  #envOf: (name: string) => Environment = () => ({});

  /**
   * Starts the Redis Cluster (one server when `redisNodes` is 1) and these processes, "name=roles" each: Routes first,
   * since the others wait for one. `env` is added to the environment of each, or what it answers for its name.
   */
  async start(
    members: Readonly<Record<string, string>>,
    redisNodes = defaultRedisNodes,
    env: Environment | ((name: string) => Environment) = {},
  ): Promise<void> {
    this.#envOf = typeof env === "function" ? env : () => env;
    writeFileSync(join(this.#directory, "link-secret"), randomBytes(32));
    this.#redis = await startRedis({ nodes: redisNodes });
    const isRoute = ([, roles]: [string, string]): boolean => roles === "route";
    const all = Object.entries(members);
    for (const group of [all.filter(isRoute), all.filter((member) => !isRoute(member))])
      await Promise.all(
        group.map(async ([name, roles]) => {
          const args = roles.includes("login") ? listenerFlags : [];
          this.#members.set(name, { name, roles, args, process: await this.#spawn(name, roles, 0, args) });
        }),
      );
  }

  /** Starts one more process, with further arguments. */
  async add(name: string, roles: string, args: readonly string[], port = 0): Promise<void> {
    this.#members.set(name, { name, roles, args, process: await this.#spawn(name, roles, port, args) });
  }

  /** HTTP port of a process with the login role. */
  port(name: string): number {
    return this.#member(name).process.port;
  }

  /** Where the process listens. */
  ready(name: string): ServerProcess["ready"] {
    return this.#member(name).process.ready;
  }

  /** PEM file of the certificate that vouches for the processes. */
  get authorityFile(): string {
    return this.#certificates.authorityFile;
  }

  /** The servers beneath all of them. */
  get redis(): RedisServers {
    return this.#redis!;
  }

  pid(name: string): number {
    return this.#member(name).process.pid;
  }

  /** Of the Redis servers. */
  get redisPids(): readonly number[] {
    return this.#redis!.nodes.map(({ pid }) => pid);
  }

  /** Names of the processes. */
  get names(): readonly string[] {
    return [...this.#members.keys()];
  }

  /** kill -9, and a start of the same name on the same data and port; settles when that is ready. */
  async killAndRestart(name: string): Promise<void> {
    await this.kill(name);
    await this.restart(name);
  }

  /** kill -9; settles when the process is gone. */
  kill(name: string): Promise<void> {
    return this.#member(name).process.kill();
  }

  /** SIGTERM, waits for the end, and starts it again. */
  async terminateAndRestart(name: string): Promise<string> {
    const { process } = this.#member(name);
    await process.close();
    const how = await process.exited;
    await this.restart(name);
    return how;
  }

  /** SIGTERM, and waits for the end; answers how it ended. */
  async stop(name: string): Promise<string> {
    const { process } = this.#member(name);
    await process.close();
    return process.exited;
  }

  /** Starts a process that has ended again. */
  async restart(name: string): Promise<void> {
    const member = this.#member(name);
    member.process = await this.#spawn(name, member.roles, member.process.port, member.args);
  }

  /** SIGSTOP for so long. */
  async stall(name: string, forMs: number): Promise<void> {
    const { pid } = this.#member(name).process;
    process.kill(pid, "SIGSTOP");
    try {
      await new Promise((resolve) => setTimeout(resolve, forMs));
    } finally {
      process.kill(pid, "SIGCONT");
    }
  }

  /** What the processes said last, for the one who looks for a cause. */
  logs(): string {
    return [...this.#members.values()].map(({ name, process }) => `--- ${name}\n${process.errorText()}`).join("\n");
  }

  async close(): Promise<void> {
    const isLogin = ({ roles }: Member): boolean => roles.includes("login");
    const members = [...this.#members.values()];
    for (const group of [members.filter(isLogin), members.filter((member) => !isLogin(member))])
      await Promise.all(group.map(({ process }) => process.kill()));
    await this.#redis?.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #member(name: string): Member {
    const member = this.#members.get(name);
    if (member === undefined) throw new Error(`there is no process ${name}`);
    return member;
  }

  async #spawn(name: string, roles: string, port: number, more: readonly string[]): Promise<ServerProcess> {
    const env = {
      ...loadSettings,
      ...(await this.#certificates.settingsFor(roles)),
      ...this.#envOf(name),
      CHAPPE_INSTANCE_ID: name,
      CHAPPE_LINK_SECRET_FILE: join(this.#directory, "link-secret"),
      CHAPPE_REDIS_ADDRESSES: this.#redis!.addresses.join(),
    };
    const args = ["--roles", roles, ...more];
    return startServer({ dataDir: join(this.#directory, "data"), port, args, env });
  }
}
