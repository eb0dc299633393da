import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkCertificates } from "./check-certificates.ts";

test("each file that is named must be there and hold a certificate", async ({ onTestFinished }) => {
  const directory = await mkdtemp(join(tmpdir(), "certificates-"));
  onTestFinished(async () => rm(directory, { recursive: true }));
  const good = join(directory, "good.pem");
  const empty = join(directory, "empty.pem");
  await writeFile(good, "-----BEGIN CERTIFICATE-----\n");
  await writeFile(empty, "");
  const environment = { NIX_SSL_CERT_FILE: good, SSL_CERT_FILE: empty, NODE_EXTRA_CA_CERTS: good };
  const findings = await checkCertificates(environment, join(directory, "gone.pem"));
  expect(findings.map(({ check, state }) => `${state} ${check}`)).toEqual([
    "ok certificate authorities of NIX_SSL_CERT_FILE",
    "wrong certificate authorities of SSL_CERT_FILE",
    "wrong certificate authorities of ssl-cert-file in nix.conf",
  ]);
  expect(await checkCertificates({})).toEqual([]);
});
