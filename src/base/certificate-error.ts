// TLS that fails because of a certificate. Trying again does not help, and the words of OpenSSL do not say what does.
import { causesOf, HomelabError, messageOf } from "./errors.ts";

/** As OpenSSL, Node and git (curl below it) name it. */
const named =
  /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(?:GET_ISSUER|VERIFY)|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA)/;
const said =
  /SSL certificate problem|certificate verif(?:y|ication) failed|certificate subject name|server certificate verification/i;

/** OpenSSL and GnuTLS, where the other side answers in the clear. */
const inTheClear = /wrong version number|packet length too long|unexpected TLS packet/i;

const advice = {
  expired: "renew the certificate of that server, and see that the clocks of both machines are right",
  name: "use a name that the certificate was made for, or make one for this name",
  authority:
    "add the authority that signed it to those of this machine: update-ca-certificates, on NixOS security.pki.certificateFiles; or name its file in NODE_EXTRA_CA_CERTS (for git in GIT_SSL_CAINFO)",
} as const;

/** In the error or what caused it; undefined when something else was wrong. */
function certificateProblem(thrown: unknown): { readonly words: string; readonly code: string } | undefined {
  let current = thrown;
  for (let depth = 0; current instanceof Error && depth < 8; depth++) {
    const code = "code" in current ? String(current.code) : "";
    if (named.test(code) || said.test(current.message)) return { words: messageOf(current), code };
    current = current.cause;
  }
  return undefined;
}

function adviceFor(
  { words, code }: { readonly words: string; readonly code: string },
  authority: string = advice.authority,
): string {
  const text = `${code} ${words}`;
  if (/expired|NOT_YET_VALID|not yet valid/i.test(text)) return advice.expired;
  if (/ALTNAME|HOSTNAME_MISMATCH|subject name|does not match/i.test(text)) return advice.name;
  return authority;
}

/**
 * What to do about a certificate; undefined when that was not the reason.
 *
 * @param authority what to do when nobody knows who signed it
 */
export function adviseOnCertificate(thrown: unknown, authority: string): string | undefined {
  const problem = certificateProblem(thrown);
  return problem === undefined ? undefined : adviceFor(problem, authority);
}

export const isCertificateError = (thrown: unknown): boolean => certificateProblem(thrown) !== undefined;

/**
 * @param whose for the message: `the cache https://cache.lan`
 * @returns `refused` with code `TLS_UNTRUSTED`; undefined when neither a certificate nor its absence was the reason
 */
export function explainCertificateError(thrown: unknown, whose: string): HomelabError | undefined {
  if ([messageOf(thrown), ...causesOf(thrown)].some((words) => inTheClear.test(words))) {
    return new HomelabError("refused", `there is no certificate: ${whose} answers without TLS`, {
      code: "TLS_UNTRUSTED",
      hint: "name the port that has TLS; or write http:// where that is allowed and the network is trusted",
    });
  }
  const problem = certificateProblem(thrown);
  if (problem === undefined) return undefined;
  return new HomelabError("refused", `the certificate of ${whose} is not trusted: ${problem.words}`, {
    code: "TLS_UNTRUSTED",
    hint: adviceFor(problem),
  });
}
