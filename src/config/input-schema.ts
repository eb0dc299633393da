// How to sign in where the inputs of flakes are.
import * as v from "valibot";
import { absolutePath, described, secretFile, username } from "./setting-types.ts";

const InputHost = v.pipe(
  v.string(),
  v.regex(
    /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[1-9]\d{0,4})?$/,
    "must be a host name in lower case, with a port if it is not the default",
  ),
);

export const InputCredentials = v.strictObject({
  username: described(v.optional(username, "git"), "User name for https."),
  tokenFile: described(
    v.optional(secretFile),
    "File with the token or password for `git+https` inputs. It is sent only to this host and port, and over plain http only within this machine.",
  ),
  accessTokens: described(
    v.optional(v.picklist(["github", "gitlab"])),
    "Whether the token is also one of Nix's `access-tokens`, for inputs such as `github:owner/repo` or `gitlab:group/repo` of this host (for GitLab, a personal access token). By default only for `github.com` and `gitlab.com`. A token for the host in nix.conf has priority.",
  ),
  sshKeyFile: described(v.optional(secretFile), "File with the private key for `git+ssh` inputs."),
  knownHostsFile: described(
    v.optional(absolutePath),
    "File with known host keys for ssh (default: those of the user and the system). Unknown hosts are always refused.",
  ),
});
export type InputCredentials = v.InferOutput<typeof InputCredentials>;

export const InputsSettings = v.strictObject({
  credentials: described(
    v.optional(v.record(InputHost, InputCredentials), {}),
    "How to sign in to the servers of private inputs, by host, such as `git.lan` or `git.lan:8443`: for builds, updates, `inputs --check` and `doctor`.",
  ),
});
export type InputsSettings = v.InferOutput<typeof InputsSettings>;
