import { join } from "node:path";
import { makeCertificates } from "@chappe/services/all/certs-command.ts";

/** Certificates of the processes of a mesh, made as `chappe certs` makes them, in a folder of the mesh's. */
export class MeshCertificates {
  readonly #directory: string;
  #last: Promise<unknown> = Promise.resolve();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** PEM file of the certificate that vouches for all of them; there once a process has its settings. */
  get authorityFile(): string {
    return join(this.#directory, "ca.crt");
  }

  /** Settings of a process with these roles, "a,b"; its certificate is made, and the authority the first time. */
  async settingsFor(roles: string): Promise<Readonly<Record<string, string>>> {
    const name = roles.replaceAll(",", "+");
    // One at a time: two would make two authorities.
    this.#last = this.#last.then(() => makeCertificates(["--out", this.#directory, "--roles", name]));
    await this.#last;
    const at = (file: string): string => join(this.#directory, file);
    return {
      CHAPPE_MESH_TLS: "1",
      CHAPPE_TLS_CERT_FILE: at(`${name}.crt`),
      CHAPPE_TLS_KEY_FILE: at(`${name}.key`),
      CHAPPE_TLS_CA_FILE: this.authorityFile,
    };
  }
}
