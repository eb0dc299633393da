// The configuration file: one JSON file for the builder and for the command line. Unknown keys are errors, and
// defaults stand only here. `description` becomes docs/configuration.md and the JSON schema.
import * as v from "valibot";
import { updateOutcomes } from "../protocol/update-events.ts";
import { allowedFor, BranchName, BuilderName, HostName, RepoName } from "../protocol/names.ts";
import { FlakeInput } from "../protocol/overrides.ts";
import { CacheSettings } from "./cache-schema.ts";
import { InputsSettings } from "./input-schema.ts";
import { absolutePath, described, secretFile, seconds, username } from "./setting-types.ts";

const repoName = v.message(RepoName, `is not a repo name we can use; allowed is ${allowedFor("repo")}`);
const branchName = v.message(
  BranchName,
  `is not a branch name we can use; allowed is ${allowedFor("branch")}`,
);
const builderName = v.message(
  BuilderName,
  `is not a builder name we can use; allowed is ${allowedFor("builder")}`,
);

const NatsUrl = v.pipe(
  v.string(),
  v.regex(
    /^(?:nats|tls):\/\/[^\s/@]+$/,
    "must be nats://host:port or tls://host:port, without a user or password",
  ),
);

export const NatsSettings = v.strictObject({
  servers: described(
    v.optional(v.pipe(v.array(NatsUrl), v.minLength(1))),
    "Servers to try, such as `nats://nats.lan:4222`; `tls://` demands TLS. Without it: `$NATS_URL`, then the selected context of the `nats` command, then `nats://127.0.0.1:4222`.",
  ),
  nkeyFile: described(v.optional(secretFile), "File with the NKey seed to sign in with."),
  credentialsFile: described(
    v.optional(secretFile),
    "File with NATS credentials (a JWT and its seed), instead of `nkeyFile`.",
  ),
  tls: described(
    v.optional(
      v.strictObject({
        caFile: described(v.optional(absolutePath), "Certificate authority of the servers, PEM."),
        certFile: described(v.optional(absolutePath), "Our own certificate, PEM."),
        keyFile: described(v.optional(secretFile), "The key of `certFile`, PEM."),
      }),
    ),
    "TLS settings. With `{}` TLS is demanded and the system's authorities are trusted.",
  ),
  inboxPrefix: described(
    v.optional(v.pipe(v.string(), v.regex(/^_INBOX_[A-Za-z0-9_-]{1,140}$/, "must be _INBOX_ and a name"))),
    "Prefix of the subjects that answers come back on, as the server's permissions demand it, such as `_INBOX_operator`.",
  ),
  jetstreamDomain: described(
    v.optional(
      v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/, "must be letters, digits, _ and -, at most 64")),
    ),
    "JetStream domain of the server that has the streams. Only where `servers` are leaf nodes of it: set it to the `domain` in the hub's `jetstream` block.",
  ),
  monitoringUrl: described(
    v.optional(
      v.pipe(
        v.string(),
        v.regex(/^https?:\/\/[^\s@?#]+$/, "must be an http:// or https:// URL without a user"),
      ),
    ),
    "URL of the server's monitoring pages, in which `doctor` sees whether what is acknowledged is on the disk; port 8222 of the server without it.",
  ),
});
export type NatsSettings = v.InferOutput<typeof NatsSettings>;

const HostGlob = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_.*?[\]!-]{1,128}$/, "must be a host name; * and ? stand for any characters"),
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
  kind: described(v.optional(v.picklist(["gitea", "forgejo", "github"]), "gitea"), "What it is."),
  url: described(
    v.pipe(
      v.string(),
      v.maxLength(1024),
      v.regex(/^https?:\/\/[^\s@?#]+$/, "must be an https:// or http:// URL without a user"),
    ),
    "Where the forge's pages are, such as `https://git.lan`; for GitHub `https://github.com`.",
  ),
  owner: described(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{1,100}$/)), "Owner of the repository there."),
  repository: described(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{1,100}$/)), "Its name there."),
  tokenFile: described(secretFile, "File with the token of the user that opens pull requests."),
});
export type ForgeSettings = v.InferOutput<typeof ForgeSettings>;

const days = (fallback: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(365)), fallback);

const flakeInput = v.message(
  FlakeInput,
  "is not the name of a flake's input: letters, digits, _ and -, beginning with a letter",
);
const hostName = v.message(HostName, `is not a host name we can use; allowed is ${allowedFor("host")}`);

export const DownstreamSettings = v.strictObject({
  repo: described(repoName, "A repo of this configuration whose flake has this one as an input."),
  input: described(flakeInput, "The name of that input in its `flake.nix`."),
  hosts: described(
    v.optional(v.pipe(v.array(hostName), v.minLength(1), v.maxLength(2000))),
    "Only these of its hosts; all without it.",
  ),
  required: described(
    v.optional(v.boolean(), false),
    "Whether breaking its hosts keeps the update from landing; otherwise it is only told.",
  ),
});
export type DownstreamSettings = v.InferOutput<typeof DownstreamSettings>;

export const RepoUpdateSettings = v.strictObject({
  inputs: described(
    v.optional(
      v.pipe(v.array(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,126}$/))), v.minLength(1)),
    ),
    "Only these inputs of the flake; all without it.",
  ),
  preExisting: described(
    v.optional(v.picklist(["block", "allow"]), "block"),
    "Whether hosts that did not build before the update either keep it from landing.",
  ),
  downstream: described(
    v.optional(v.pipe(v.array(DownstreamSettings), v.maxLength(8)), []),
    "Repos that use this one: their hosts are built with every candidate. Nothing is ever pushed to them.",
  ),
  forge: described(
    v.optional(ForgeSettings),
    "Where pull requests are opened. Without it what cannot land stays on its branch, with a report.",
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
  remindAfterDays: described(
    days(7),
    "A pull request that nobody acts on gets a reminder after so many days.",
  ),
  closeAfterDays: described(
    days(14),
    "A pull request that nobody acts on and that updates no longer come to is closed after so many days; never with commits or reviews of people, or the label `keep`.",
  ),
  landing: described(
    v.optional(v.picklist(["push", "pull-request"]), "push"),
    "How what builds gets onto the branch: by a push, or through a pull request that is merged by fast-forward, for a branch that nobody may push to (Gitea from 1.22, Forgejo; needs `forge`).",
  ),
  partialLanding: described(
    v.optional(v.boolean(), false),
    "Whether inputs that build on every host land without those that do not.",
  ),
  searchParts: described(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(100)), 20),
    "How many parts of a broken update are built at most to find the inputs and revisions that break it; 0: none.",
  ),
  searchMinutes: described(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1440)), 60),
    "And for how long.",
  ),
  publishLogs: described(
    v.optional(v.picklist(["full", "excerpt", "never"]), "full"),
    "How much of build logs goes into pull requests. Secrets are redacted in any case.",
  ),
});
export type RepoUpdateSettings = v.InferOutput<typeof RepoUpdateSettings>;

export const RepoSettings = v.strictObject({
  url: described(
    GitUrl,
    "Where the repo is: `https://…`, `ssh://git@…` or `file:///…`. Secrets never stand in it.",
  ),
  branch: described(v.optional(branchName, "master"), "The branch that is built."),
  directory: described(
    v.optional(
      v.pipe(v.string(), v.regex(/^(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./-]*$/, "must be a relative path")),
    ),
    "The directory of `flake.nix` in the repo; the root without it.",
  ),
  include: described(
    v.optional(v.array(HostGlob), ["*"]),
    "Hosts to build, as globs: `*` is any text, `?` any character, `[a-c]` one of these and `[!a-c]` none of these.",
  ),
  exclude: described(
    v.optional(v.array(HostGlob), []),
    "Hosts to leave out, as globs; they are reported as `skipped`. What is excluded stays out, even when it is included too.",
  ),
  pollSeconds: described(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(86_400)), 60),
    "How often to look for a new commit, which starts a batch build of the repo. 0: never.",
  ),
  credentials: described(
    v.optional(
      v.strictObject({
        username: described(v.optional(username, "git"), "User name for https."),
        tokenFile: described(v.optional(secretFile), "File with the token or password for https."),
        sshKeyFile: described(v.optional(secretFile), "File with the private key for ssh."),
        knownHostsFile: described(
          v.optional(absolutePath),
          "Known host keys for ssh. Without it the user's and system's are used; unknown hosts are always refused.",
        ),
      }),
    ),
    "How to sign in to the remote.",
  ),
  allowOtherOwner: described(
    v.optional(v.boolean(), false),
    "Whether the repository of a `file:///` URL may belong to another user than the one this runs as. Git refuses it otherwise (`safe.directory`), and git's own configuration is not read.",
  ),
  submodules: described(
    v.optional(v.boolean(), false),
    "Whether the flake has the repo's git submodules in it, as with `?submodules=1` of Nix. They are fetched with the repo's credentials where they are on its server, and with `inputs.credentials` elsewhere.",
  ),
  allowImportFromDerivation: described(
    v.optional(v.boolean(), false),
    "Whether evaluation may build things (import from derivation). Off, because it runs the repo's code before anybody looked.",
  ),
  update: described(v.optional(RepoUpdateSettings, {}), "The safe update of the flake's inputs."),
});
export type RepoSettings = v.InferOutput<typeof RepoSettings>;

const automatic = v.literal("auto");

export const BuilderSettings = v.strictObject({
  name: described(v.optional(builderName), "Its name on NATS; the machine's host name without it."),
  stateDirectory: described(
    v.optional(absolutePath, "/var/lib/homelab-deploy"),
    "For mirrors, remembered evaluations and GC roots.",
  ),
  keepCommits: described(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 4),
    "GC roots are kept of the newest so many commits that have a host, and were the tip of the branch; and of as many others.",
  ),
  evaluation: described(
    v.optional(
      v.strictObject({
        workers: described(
          v.optional(
            v.union([automatic, v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(256))]),
            "auto",
          ),
          "Evaluator processes at a time; `auto` takes the cores, as far as the memory allows.",
        ),
        batchSize: described(
          v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 1000),
          "Hosts for one evaluator process at most. It is replaced before that where it holds much memory.",
        ),
        maxMemoryMiB: described(
          v.optional(
            v.union([automatic, v.pipe(v.number(), v.integer(), v.minValue(128), v.maxValue(1_048_576))]),
            "auto",
          ),
          "Heap of one evaluator process; `auto` shares what is free, between 1 and 8 GiB. A host that needs more than that as the first of a process fails.",
        ),
        timeoutSeconds: described(
          v.optional(seconds(1, 86_400), 900),
          "How long the evaluation of one host may take.",
        ),
      }),
      {},
    ),
    "How hosts are evaluated.",
  ),
  build: described(
    v.optional(
      v.strictObject({
        timeoutSeconds: described(
          v.optional(seconds(1, 30 * 86_400), 36_000),
          "For building one derivation.",
        ),
        silenceSeconds: described(
          v.optional(seconds(1, 30 * 86_400), 3600),
          "A derivation that prints nothing for so long is ended.",
        ),
        maxJobs: described(
          v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1024))),
          "Nix's `max-jobs`; without it what nix.conf says.",
        ),
        cores: described(
          v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1024))),
          "Nix's `cores`; without it what nix.conf says.",
        ),
        minFreeGiB: described(
          v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1_048_576)), 2),
          "No build begins while less than this is free on the store's disk. 0: always.",
        ),
        withoutSubstituters: described(
          v.optional(v.picklist(["wait", "build"]), "wait"),
          "What a host does that needs a substituter while every configured one is down: `wait` up to 30 minutes for one and then end as `infra-failed`, or `build` from source.",
        ),
      }),
      {},
    ),
    "How derivations are built. Nix's own settings, such as substituters and remote builders, stay in nix.conf.",
  ),
  retry: described(
    v.optional(
      v.strictObject({
        attempts: described(
          v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10)), 3),
          "How often work is tried when the infrastructure fails it. A host's own failure is never retried.",
        ),
        firstDelaySeconds: described(
          v.optional(seconds(0, 3600), 10),
          "Before the second attempt; each further one waits three times longer.",
        ),
      }),
      {},
    ),
    "What is done when the infrastructure fails.",
  ),
  requestExpirySeconds: described(
    v.optional(seconds(1, 7 * 86_400), 86_400),
    "A request that waited longer than this when it is taken ends as `expired`, unless it says otherwise itself.",
  ),
  stopSeconds: described(
    v.optional(seconds(1, 3600), 15),
    "After SIGTERM, the time in which builds may still finish. What is left goes on at the next start.",
  ),
});
export type BuilderSettings = v.InferOutput<typeof BuilderSettings>;

export const MetricsSettings = v.strictObject({
  listen: described(
    v.optional(
      v.pipe(v.string(), v.regex(/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/, "must be address:port")),
    ),
    "Where the builder serves `/metrics`, such as `127.0.0.1:9480`; not at all without it.",
  ),
  pushgateway: described(
    v.optional(
      v.pipe(
        v.string(),
        v.regex(
          /^https?:\/\/[^\s@?#]+$/,
          "must be an http:// or https:// URL without a user, a password or a query: the builder cannot sign in to a pushgateway",
        ),
      ),
    ),
    "URL of a Prometheus pushgateway that gets the metrics at the end of each build.",
  ),
});
export type MetricsSettings = v.InferOutput<typeof MetricsSettings>;

export const UpdateSettings = v.strictObject({
  stateDirectory: described(
    v.optional(absolutePath),
    "For journals, reports and mirrors of updates; `$STATE_DIRECTORY` of the service without it, else a directory of the user.",
  ),
  webhookFile: described(
    v.optional(secretFile),
    "File with a URL that is told what became of each update, as JSON that Slack-compatible receivers and ntfy show.",
  ),
  webhookOutcomes: described(
    v.optional(v.array(v.picklist(updateOutcomes)), ["landed", "proposed", "failed"]),
    "Which outcomes the webhook is told. NATS is told all of them.",
  ),
});
export type UpdateSettings = v.InferOutput<typeof UpdateSettings>;

export const Config = v.strictObject({
  $schema: described(v.optional(v.string()), "URL or path of the JSON schema, for editors."),
  nats: described(v.optional(NatsSettings, {}), "How to reach NATS."),
  repos: described(v.optional(v.record(repoName, RepoSettings), {}), "The repos to build, by name."),
  inputs: described(v.optional(InputsSettings, {}), "The inputs of the repos' flakes."),
  builder: described(v.optional(BuilderSettings, {}), "The builder daemon, and builds with `--local`."),
  update: described(
    v.optional(UpdateSettings, {}),
    "The `update` command; what is about one repo stands there.",
  ),
  cache: described(v.optional(CacheSettings, {}), "The binary cache that serves what was built."),
  metrics: described(v.optional(MetricsSettings, {}), "Where Prometheus finds the builder's metrics."),
});
export type Config = v.InferOutput<typeof Config>;
