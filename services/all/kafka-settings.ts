import { readFileSync } from "node:fs";
import type { KafkaLogOptions } from "@chappe/mesh/engines/kafka-log/kafka-log-options.ts";
import { ChappeError } from "@chappe/mesh/errors/chappe-error.ts";
import { z } from "zod";
import type { Config } from "./config.ts";

const saslSchema = z.strictObject({
  mechanism: z.enum(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]),
  username: z.string().min(1),
  password: z.string().min(1),
});

/** What a file of the settings holds. INVALID_ARGUMENT names the setting when it cannot be read; never what is in it. */
function readSetting<T>(
  field: "kafkaSaslFile" | "kafkaCaFile",
  path: string,
  parse: (text: string) => T,
  what: string,
): T {
  try {
    return parse(readFileSync(path, "utf8"));
  } catch (cause) {
    const message = `${path} cannot be read as ${what}`;
    throw new ChappeError("INVALID_ARGUMENT", `${field}: ${message}`, {
      violations: [{ field, rule: "file", message }],
      cause,
    });
  }
}

/** The settings of the log on Kafka. INVALID_ARGUMENT names a file that is wrong. */
export function kafkaSettings(config: Config): KafkaLogOptions {
  const { kafkaBrokers: brokers, kafkaPartitions: partitions, kafkaPrefix: prefix, kafkaClient: client } = config;
  const { kafkaSaslFile, kafkaCaFile } = config;
  const common = { brokers, partitions, prefix, client };
  const sasl =
    kafkaSaslFile === undefined
      ? {}
      : {
          sasl: readSetting(
            "kafkaSaslFile",
            kafkaSaslFile,
            (text) => saslSchema.parse(JSON.parse(text)),
            '{"mechanism", "username", "password"}',
          ),
        };
  const isPem = (text: string): string => {
    if (!text.includes("-----BEGIN CERTIFICATE-----")) throw new Error("no certificate");
    return text;
  };
  const ca =
    kafkaCaFile === undefined ? {} : { ca: readSetting("kafkaCaFile", kafkaCaFile, isPem, "PEM certificates") };
  return { ...common, ...sasl, ...ca };
}
