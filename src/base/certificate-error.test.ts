import { expect, test } from "vitest";
import { explainCertificateError } from "./certificate-error.ts";

const coded = (code: string, message = "x"): Error => Object.assign(new Error(message), { code });

test.each([
  [
    new TypeError("fetch failed", { cause: coded("UNABLE_TO_VERIFY_LEAF_SIGNATURE") }),
    "update-ca-certificates",
  ],
  [coded("DEPTH_ZERO_SELF_SIGNED_CERT"), "NODE_EXTRA_CA_CERTS"],
  [coded("CERT_HAS_EXPIRED"), "renew"],
  [coded("ERR_TLS_CERT_ALTNAME_INVALID"), "a name that"],
  [new Error("fatal: server certificate verification failed. CAfile: none CRLfile: none"), "GIT_SSL_CAINFO"],
  [new Error("SSL certificate problem: certificate has expired"), "renew"],
  [
    new Error(
      "write EPROTO 400D:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:",
    ),
    "the port that has TLS",
  ],
  [new Error("gnutls_handshake() failed: An unexpected TLS packet was received."), "the port that has TLS"],
])("%s says what to do", (error, advice) => {
  expect(explainCertificateError(error, "git.lan")).toMatchObject({
    code: "TLS_UNTRUSTED",
    kind: "refused",
    hint: expect.stringContaining(advice),
  });
});

test("Node's advice to whoever starts Node is left out", () => {
  const words = "unable to verify the first certificate";
  const advice = "; if the root CA is installed locally, try running Node.js with --use-system-ca";
  const error = coded("UNABLE_TO_VERIFY_LEAF_SIGNATURE", `${words}${advice}`);
  expect(explainCertificateError(error, "git.lan")?.message).toBe(
    `the certificate of git.lan is not trusted: ${words}`,
  );
});

test.each([coded("ECONNREFUSED"), coded("EPROTO"), new Error("no answer"), "text"])(
  "%s is something else",
  (error) => {
    expect(explainCertificateError(error, "git.lan")).toBeUndefined();
  },
);
