// The files with certificate authorities that the environment and nix.conf name. Where one is missing Nix, git and curl trust
// nobody, and what they say then blames the server.
import { readFile } from "node:fs/promises";
import { messageOf } from "../../base/errors.ts";
import type { Environment } from "../../base/environment.ts";
import { ok, wrong, type Finding } from "./finding.ts";

const variables = ["NIX_SSL_CERT_FILE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"];

/** @param sslCertFile `ssl-cert-file` of nix.conf, which Nix knows since 2.17 */
export async function checkCertificates(
  environment: Environment,
  sslCertFile?: unknown,
): Promise<readonly Finding[]> {
  const named = new Map<string, string>();
  const name = (file: unknown, by: string): void => {
    if (typeof file === "string" && file !== "" && !named.has(file)) named.set(file, by);
  };
  for (const variable of variables) name(environment[variable], variable);
  name(sslCertFile, "ssl-cert-file in nix.conf");
  return Promise.all([...named].map(async ([file, by]) => checkFile(file, by)));
}

async function checkFile(file: string, by: string): Promise<Finding> {
  const check = `certificate authorities of ${by}`;
  const hint = `correct ${by}, or remove it: the system's authorities count without it`;
  try {
    const text = await readFile(file, "latin1");
    if (!text.includes("-----BEGIN ")) return wrong(check, `${file} has no certificate in PEM`, hint);
    return ok(check, file);
  } catch (error) {
    return wrong(check, `cannot be read, so that nothing over https is trusted: ${messageOf(error)}`, hint);
  }
}
