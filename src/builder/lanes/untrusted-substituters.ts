// A substituter that has what is needed, signed by nobody who is trusted, is as good as none: Nix builds from source.
import type { NixActivity } from "../../nix/realiser.ts";

// "the substitute for 'P' from 'U' is not signed by any of the keys" in Nix 2.8, "ignoring substitute for 'P' from 'U',
// as it's not signed by any of the keys" since.
const unsigned =
  /^(?:warning: )?(?:the|ignoring) substitute for '(?<path>[^']+)' from '(?<url>[^']+)',? (?:is|as it's) not signed by any of the keys/;

/**
 * Says once of each substituter that nobody trusts its signatures. Only of what comes before the first build: a builder
 * can print such messages too.
 */
export function createSignatureWarnings(warn: (message: string) => void): (activity: NixActivity) => void {
  const said = new Set<string>();
  let hasBuilt = false;
  return (activity) => {
    if (activity.type === "derivation-started") hasBuilt = true;
    if (hasBuilt || activity.type !== "message") return;
    const { url } = unsigned.exec(activity.message.text)?.groups ?? {};
    if (url === undefined || said.has(url)) return;
    said.add(url);
    const shown = url.replace(/\/\/[^/@]*@/, "//").replace(/\?.*$/, "");
    warn(
      `nothing is taken from the substituter ${shown} that no key of trusted-public-keys in nix.conf has signed; it is built from source`,
    );
  };
}
