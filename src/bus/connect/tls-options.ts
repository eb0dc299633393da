import { access, constants } from "node:fs/promises";
import { isIP } from "node:net";
import type { checkServerIdentity } from "node:tls";
import type { TlsOptions } from "@nats-io/transport-node";
import { HomelabError } from "../../base/errors.ts";
import { loadTls } from "../../base/node-tls.ts";

/** Paths of PEM files. They are read again at each reconnect, so a renewed certificate needs no restart. */
export interface TlsFiles {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** @throws HomelabError `config` `NATS_TLS_FILE` for a file that cannot be read. */
export async function tlsOptions(
  files: TlsFiles = {},
  servers: readonly string[],
): Promise<TlsOptions & { readonly checkServerIdentity: typeof checkServerIdentity }> {
  const { caFile, certFile, keyFile } = files;
  await requireFiles(files);
  // A server that is given by its address: the client passes no name on, and Node then checks for "localhost".
  const asLocalhost = servers
    .map((url) => new URL(url).hostname.replace(/^\[|\]$/g, ""))
    .filter((host) => isIP(host) !== 0 || host === "localhost");
  return {
    caFile,
    certFile,
    keyFile,
    checkServerIdentity(host, certificate) {
      const names = host === "localhost" && asLocalhost.length > 0 ? asLocalhost : [host];
      const errors = names.map((name) => loadTls().checkServerIdentity(name, certificate));
      return errors.includes(undefined) ? undefined : errors[0];
    },
  };
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
