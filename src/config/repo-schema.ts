// A repo: its address, which of its hosts are built, and how its inputs are updated.
import * as v from "valibot";
import { allowedFor, HostName } from "../protocol/names.ts";
import { FlakeInput } from "../protocol/overrides.ts";
import { absolutePath, branchName, described, repoName, secretFile, username } from "./setting-types.ts";

const HostGlob = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_.*?[\]!-]{1,128}$/, "must be a host name; * and ? match any characters"),
);

export const GitUrl = v.pipe(
  v.string(),
  v.maxLength(1024),
  v.regex(
    /^(?:https:\/\/[^\s@/?#-][^\s@]*|ssh:\/\/(?:[A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9[][^\s@]*|file:\/\/\/[^\s]*)$/,
    "must be an https://, ssh:// or file:/// URL without a password in it",
  ),
);

export const ForgeSettings = v.strictObject({
  kind: described(v.optional(v.picklist(["gitea", "forgejo", "github"]), "gitea"), "Kind of forge."),
  url: described(
    v.pipe(
      v.string(),
      v.maxLength(1024),
      v.regex(/^https?:\/\/[^\s@?#]+$/, "must be an https:// or http:// URL without a user"),
    ),
    "The forge's web address, such as `https://git.lan`; for GitHub `https://github.com`.",
  ),
  owner: described(
    v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{1,100}$/)),
    "Owner of the repository on the forge.",
  ),
  repository: described(
    v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{1,100}$/)),
    "Name of the repository on the forge.",
  ),
  tokenFile: described(secretFile, "File with the token of the user that opens pull requests."),
});
export type ForgeSettings = v.InferOutput<typeof ForgeSettings>;

const days = (fallback: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(365)), fallback);

const flakeInput = v.message(
  FlakeInput,
  "is not the name of a flake's input: letters, digits, _ and -, beginning with a letter",
);
const hostName = v.message(HostName, `is not a valid host name; allowed is ${allowedFor("host")}`);

export const DownstreamSettings = v.strictObject({
  repo: described(repoName, "A repo of this configuration whose flake has this one as an input."),
  input: described(flakeInput, "The name of this repo's input in its `flake.nix`."),
  hosts: described(
    v.optional(v.pipe(v.array(hostName), v.minLength(1), v.maxLength(2000))),
    "Limits this to these hosts. Default: all.",
  ),
  required: described(
    v.optional(v.boolean(), false),
    "Whether an update that breaks its hosts is kept from landing; otherwise it is only reported.",
  ),
});
export type DownstreamSettings = v.InferOutput<typeof DownstreamSettings>;

export const RepoUpdateSettings = v.strictObject({
  inputs: described(
    v.optional(
      v.pipe(v.array(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,126}$/))), v.minLength(1)),
    ),
    "Limits updates to these inputs of the flake. Default: all.",
  ),
  preExisting: described(
    v.optional(v.picklist(["block", "allow"]), "block"),
    "Whether hosts that were already broken block the update.",
  ),
  downstream: described(
    v.optional(v.pipe(v.array(DownstreamSettings), v.maxLength(8)), []),
    "Repos that use this one. Their hosts are built with every candidate; nothing is ever pushed to them.",
  ),
  forge: described(
    v.optional(ForgeSettings),
    "Where to open pull requests. Without it, an update that cannot land stays on its branch, with a report.",
  ),
  identity: described(
    v.optional(
      v.strictObject({
        name: described(
          v.optional(
            v.pipe(v.string(), v.minLength(1), v.maxLength(100), v.regex(/^[^<>\n]+$/)),
            "homelab-deploy",
          ),
          "Author of the commits.",
        ),
        email: described(
          v.optional(v.pipe(v.string(), v.regex(/^[^\s<>]{1,200}$/)), "homelab-deploy@localhost"),
          "By it later runs know their commits again.",
        ),
      }),
      {},
    ),
    "Who the commits are by.",
  ),
  remindAfterDays: described(days(7), "Days after which a pull request without activity gets a reminder."),
  closeAfterDays: described(
    days(14),
    "Days after which a pull request without activity is closed, if updates no longer arrive at its result. Pull requests with commits or reviews by people, or the label `keep`, stay open.",
  ),
  landing: described(
    v.optional(v.picklist(["push", "pull-request"]), "push"),
    "How an update gets onto the branch: `push`, or `pull-request`, which is merged by fast-forward, for a branch that nobody may push to (Gitea from 1.22, Forgejo; needs `forge`).",
  ),
  partialLanding: described(
    v.optional(v.boolean(), false),
    "Whether inputs that build on every host land without those that break hosts.",
  ),
  searchParts: described(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(100)), 20),
    "At most this many parts of a broken update are built to find the inputs and revisions that break it. 0: no search.",
  ),
  searchMinutes: described(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1440)), 60),
    "And for how long.",
  ),
  publishLogs: described(
    v.optional(v.picklist(["full", "excerpt", "never"]), "full"),
    "How much of the build logs is put into pull requests. Secrets are always redacted.",
  ),
});
export type RepoUpdateSettings = v.InferOutput<typeof RepoUpdateSettings>;

export const RepoSettings = v.strictObject({
  url: described(
    GitUrl,
    "URL of the repo: `https://…`, `ssh://git@…` or `file:///…`. It must not contain secrets.",
  ),
  branch: described(v.optional(branchName, "master"), "The branch to build."),
  directory: described(
    v.optional(
      v.pipe(v.string(), v.regex(/^(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./-]*$/, "must be a relative path")),
    ),
    "The directory of `flake.nix` in the repo (default: the root).",
  ),
  include: described(
    v.optional(v.array(HostGlob), ["*"]),
    "Hosts to build, as globs: `*` is any text, `?` any character, `[a-c]` one of these and `[!a-c]` none of these.",
  ),
  exclude: described(
    v.optional(v.array(HostGlob), []),
    "Hosts to leave out, as globs; they are reported as `skipped`. `exclude` wins over `include`.",
  ),
  pollSeconds: described(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(86_400)), 60),
    "Seconds between checks for a new commit, which starts a batch build of the repo. 0: never.",
  ),
  credentials: described(
    v.optional(
      v.strictObject({
        username: described(v.optional(username, "git"), "User name for https."),
        tokenFile: described(v.optional(secretFile), "File with the token or password for https."),
        sshKeyFile: described(v.optional(secretFile), "File with the private key for ssh."),
        knownHostsFile: described(
          v.optional(absolutePath),
          "File with known host keys for ssh (default: those of the user and the system). Unknown hosts are always refused.",
        ),
      }),
    ),
    "How to sign in to the remote.",
  ),
  allowOtherOwner: described(
    v.optional(v.boolean(), false),
    "Whether the repository of a `file:///` URL may belong to another user. Otherwise git refuses it (`safe.directory`); git's own configuration is not read.",
  ),
  submodules: described(
    v.optional(v.boolean(), false),
    "Whether to include the repo's git submodules, like Nix's `?submodules=1`. Submodules on the repo's server are fetched with its credentials, others with `inputs.credentials`.",
  ),
  allowImportFromDerivation: described(
    v.optional(v.boolean(), false),
    "Whether evaluation may build things (import from derivation). Off, because it runs the repo's code before anybody looked.",
  ),
  update: described(v.optional(RepoUpdateSettings, {}), "Settings for safe updates of the flake's inputs."),
});
export type RepoSettings = v.InferOutput<typeof RepoSettings>;
