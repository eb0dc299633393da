// Whom a host obeys: without a key that may deploy here it obeys nobody, and no order can change that.
import type { HostPolicy, TrustedSigner } from "../../../protocol/deploy/host-policy.ts";
import { ok, warning, wrong, type Finding } from "../finding.ts";

const check = "signers";
const option = "services.homelab-deploy.listener";
/** Time to bring another key to the host, which takes a deploy with this one. */
const soonMs = 14 * 86_400_000;
const byHand = "deploy that with nixos-rebuild: no order can";

export function checkSigners(policy: HostPolicy, now: Date): Finding {
  const { trustedKeys, trustedBuilders, allowedBranches } = policy;
  const able = trustedKeys.filter((signer) => whyNot(signer, policy, now) === undefined);
  if (able.length === 0) {
    const each = trustedKeys.map((signer) => `${signer.name} (${whyNot(signer, policy, now)})`).join(", ");
    return wrong(
      check,
      `no key may deploy here${each === "" ? ": none is trusted" : `: ${each}`}`,
      `correct ${option}.trustedKeys, and ${byHand}`,
    );
  }
  if (trustedBuilders.length === 0) {
    return wrong(
      check,
      "no builder is trusted, so nothing can be deployed here",
      `set ${option}.trustedBuilders to the key of the builder, and ${byHand}`,
    );
  }
  if (allowedBranches.length === 0) {
    return wrong(
      check,
      "no branch is allowed, so nothing can be deployed here",
      `set ${option}.allowedBranches, and ${byHand}`,
    );
  }
  const last = able.map(endOf).reduce((one, other) => Math.max(one, other));
  if (last < now.getTime() + soonMs) {
    return warning(
      check,
      `after ${new Date(last).toISOString()} no key may deploy here`,
      `add a key to ${option}.trustedKeys, or set a later notAfter, and deploy that before`,
    );
  }
  return ok(check, `${able.map(({ name }) => name).join(", ")} may deploy here`);
}

const endOf = ({ notAfter }: TrustedSigner): number =>
  notAfter === undefined ? Number.POSITIVE_INFINITY : Date.parse(notAfter);

function whyNot(signer: TrustedSigner, { tier }: HostPolicy, now: Date): string | undefined {
  if (!signer.may.includes("deploy")) return "its `may` has no deploy";
  if (endOf(signer) < now.getTime()) return `was good until ${signer.notAfter}`;
  if (signer.tiers === undefined || (tier !== undefined && signer.tiers.includes(tier))) return undefined;
  return `only for ${signer.tiers.join(", ")}, and this host is ${tier ?? "of no tier"}`;
}
