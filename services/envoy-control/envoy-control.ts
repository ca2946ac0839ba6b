import { type DoorKind, doorRole } from "@chappe/mesh/directory/door-roles.ts";
import { dynamicFiles, endpointFiles } from "@chappe/mesh/envoy/envoy-files.ts";
import type { EnvoySettings, LoginTargets } from "@chappe/mesh/envoy/envoy-settings.ts";
import { writeEnvoyFiles } from "@chappe/mesh/envoy/write-envoy-files.ts";
import type { Logger } from "@chappe/mesh/lifecycle/logger.ts";
import { limits } from "@chappe/mesh/limits.ts";
import type { Directory, DirectoryEntry } from "@chappe/mesh/ports/directory.ts";

/** What createEnvoyControl needs. */
export interface EnvoyControlOptions {
  readonly directory: Directory;
  readonly settings: EnvoySettings;
  /** Absolute path of the folder that Envoy watches. */
  readonly path: string;
  readonly logger: Logger;
}

/** Keeps the files that Envoy watches as the Directory says. */
export interface EnvoyControl {
  /** Whether the files are what they should be, and name a Login. */
  ready(): boolean;
  close(): void;
}

type Doors = Readonly<Record<DoorKind, readonly DirectoryEntry[]>>;

const kinds: readonly DoorKind[] = ["http", "grpc", "tcp", "udp"];
const processOf = ({ id }: DirectoryEntry): string => id.split("@", 1)[0]!;

/** The doors of each process that has one for HTTP, in order of their names. */
function loginsOf(doors: Doors): LoginTargets[] {
  const names = [...new Set(doors.http.map(processOf))].sort().slice(0, limits.maxProxyTargets);
  return names.map((name) => {
    const [http = [], grpc = [], tcp = [], udp = []] = kinds.map((kind) =>
      doors[kind].filter((entry) => processOf(entry) === name).map(({ address }) => address),
    );
    return {
      http,
      tcp,
      ...(grpc[0] !== undefined && { grpc: grpc[0] }),
      ...(udp[0] !== undefined && { udp: udp[0] }),
    };
  });
}

class Control implements EnvoyControl {
  readonly #options: EnvoyControlOptions;
  readonly #doors: Record<DoorKind, readonly DirectoryEntry[]> = { http: [], grpc: [], tcp: [], udp: [] };
  readonly #unwatch: (() => void)[];
  #timer: NodeJS.Timeout | undefined;
  #written = false;

  constructor(options: EnvoyControlOptions) {
    this.#options = options;
    const { directory, settings, path } = options;
    writeEnvoyFiles(path, dynamicFiles(settings, path));
    this.#unwatch = kinds.map((kind) =>
      directory.watch(doorRole(kind), (entries) => {
        this.#doors[kind] = entries;
        this.#timer ??= setTimeout(() => this.#write(), limits.proxyFilesDelayMs);
      }),
    );
  }

  ready(): boolean {
    return this.#written;
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const unwatch of this.#unwatch) unwatch();
  }

  #write(): void {
    this.#timer = undefined;
    const { settings, path, logger } = this.#options;
    const logins = loginsOf(this.#doors);
    // An empty Directory is more likely to have lost its memory than to have lost every Login: health checks decide.
    if (logins.length === 0) return logger.warn("envoy-control.no-login", { kept: this.#written });
    try {
      const changed = writeEnvoyFiles(path, endpointFiles(settings, logins));
      this.#written = true;
      if (changed.length > 0) logger.info("envoy-control.written", { logins: logins.length });
    } catch (error) {
      this.#written = false;
      logger.error("envoy-control.write-failed", { error });
      this.#timer = setTimeout(() => this.#write(), limits.proxyFilesRetryMs);
    }
  }
}

/** Writes the files that do not change, and from now on those of endpoints with every change of the Logins. Throws when it cannot write. */
export function createEnvoyControl(options: EnvoyControlOptions): EnvoyControl {
  return new Control(options);
}
