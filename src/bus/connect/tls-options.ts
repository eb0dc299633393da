import { access, constants } from "node:fs/promises";
import type { TlsOptions } from "@nats-io/transport-node";
import { HomelabError } from "../../base/errors.ts";

/** Paths of PEM files. They are read again at each reconnect, so a renewed certificate needs no restart. */
export interface TlsFiles {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** @throws HomelabError `config` `NATS_TLS_FILE` for a file that cannot be read. */
export async function tlsOptions(files: TlsFiles = {}): Promise<TlsOptions> {
  const { caFile, certFile, keyFile } = files;
  await requireFiles(files);
  return { caFile, certFile, keyFile };
}

async function requireFiles(tls: TlsFiles): Promise<void> {
  for (const file of [tls.caFile, tls.certFile, tls.keyFile]) {
    if (file === undefined) continue;
    await access(file, constants.R_OK).catch((error: unknown) => {
      throw new HomelabError("config", `the TLS file ${file} cannot be read`, {
        code: "NATS_TLS_FILE",
        hint: "check nats.tls in the configuration",
        cause: error,
      });
    });
  }
}
