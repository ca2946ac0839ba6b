import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";

/** Makes a call with an empty request; answers its status. */
export async function unaryGrpc(port: number, method: string, token?: string): Promise<{ readonly code: number }> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const metadata = new Metadata();
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  const bytes = (value: Buffer): Buffer => value;
  try {
    return await new Promise((resolve) => {
      client.makeUnaryRequest(`/${method}`, bytes, bytes, Buffer.alloc(0), metadata, (error: ServiceError | null) =>
        resolve({ code: error === null ? 0 : error.code }),
      );
    });
  } finally {
    client.close();
  }
}
