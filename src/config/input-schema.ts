// How to sign in where the inputs of flakes are.
import * as v from "valibot";
import { absolutePath, described, secretFile, username } from "./setting-types.ts";

const InputHost = v.pipe(
  v.string(),
  v.regex(
    /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[1-9]\d{0,4})?$/,
    "must be a host name in small letters, with a port where it is not the usual one",
  ),
);

export const InputCredentials = v.strictObject({
  username: described(v.optional(username, "git"), "User name for https."),
  tokenFile: described(
    v.optional(secretFile),
    "File with the token or password for `git+https` inputs. It is sent to this host and port only, and over plain http only within this machine.",
  ),
  accessTokens: described(
    v.optional(v.picklist(["github", "gitlab"])),
    "The token is one of Nix's `access-tokens` too, for inputs such as `github:owner/repo` or `gitlab:group/repo` of this host (of GitLab a personal access token). Without it only for `github.com` and `gitlab.com`. What nix.conf has for the host comes first.",
  ),
  sshKeyFile: described(v.optional(secretFile), "File with the private key for `git+ssh` inputs."),
  knownHostsFile: described(
    v.optional(absolutePath),
    "Known host keys for ssh. Without it the user's and system's are used; unknown hosts are always refused.",
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
