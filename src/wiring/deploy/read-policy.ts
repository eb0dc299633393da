// The policy of the system that runs: who this host is, and whom it obeys.
import { HomelabError, messageOf } from "../../base/errors.ts";
import { readBytesBounded } from "../../base/files/read-bounded.ts";
import { decodeHostPolicy, maxHostPolicyBytes, type HostPolicy } from "../../protocol/deploy/host-policy.ts";

/** @throws HomelabError `config` `HOST_POLICY` */
export async function readPolicy(file: string): Promise<HostPolicy> {
  try {
    return decodeHostPolicy((await readBytesBounded(file, maxHostPolicyBytes)).bytes);
  } catch (error) {
    throw new HomelabError(
      "config",
      `the policy of this host cannot be read from ${file}: ${messageOf(error)}`,
      {
        code: "HOST_POLICY",
        hint: "it is written by the NixOS module, with homelab.deploy.enable = true",
        cause: error,
      },
    );
  }
}
