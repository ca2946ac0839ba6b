/**
 * A program: `node hbase-probe.ts <zookeeper host:port> <table> <family> <row> [value]` puts the value, if there is one,
 * gets the row's cell "q" and prints it. A process of its own, because the client has no way to close.
 */
import { createRequire } from "node:module";

type Callback<T> = (error: Error | null, result: T) => void;

interface Row {
  readonly columns?: readonly { readonly qualifier: Buffer; readonly value: Buffer }[];
}

interface Client {
  on(event: "error", listener: (error: Error) => void): void;
  put(table: string, put: object, done: Callback<unknown>): void;
  get(table: string, get: object, done: Callback<Row | null>): void;
}

interface Library {
  (options: object): Client;
  readonly Put: new (row: string) => { add(family: string, qualifier: string, value: string): void };
  readonly Get: new (row: string) => object;
}

const callTimeoutMs = 5_000;
const qualifier = "q";

const settle = <T>(call: (done: Callback<T>) => void): Promise<T> =>
  new Promise((resolve, reject) => call((error, result) => (error === null ? resolve(result) : reject(error))));

async function probe([zookeeper = "", table = "", family = "", row = "", value]: readonly string[]): Promise<string> {
  const library = createRequire(import.meta.url)("hbase-rpc-client") as Library;
  const client = library({ zookeeperHosts: [zookeeper], callTimeout: callTimeoutMs, rpcTimeout: callTimeoutMs });
  const failed = new Promise<never>((_, reject) => client.on("error", reject));
  const work = async (): Promise<string> => {
    if (value !== undefined) {
      const put = new library.Put(row);
      put.add(family, qualifier, value);
      await settle((done) => client.put(table, put, done));
    }
    const found = await settle<Row | null>((done) => client.get(table, new library.Get(row), done));
    return String(found?.columns?.find((column) => column.qualifier.toString() === qualifier)?.value ?? "");
  };
  return Promise.race([work(), failed]);
}

probe(process.argv.slice(2)).then(
  (found) => process.stdout.write(found, () => process.exit(0)),
  (error: unknown) => process.stderr.write(`${String(error)}\n`, () => process.exit(1)),
);
