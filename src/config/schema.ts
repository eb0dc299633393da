// The configuration file: one JSON file for the builder and for the command line. Unknown keys are errors, and
// defaults stand only here. `description` becomes docs/reference/configuration.md and the JSON schema.
import * as v from "valibot";
import { updateOutcomes } from "../protocol/update-events.ts";
import { allowedFor, BuilderName, HostName } from "../protocol/names.ts";
import { FlakeInput } from "../protocol/overrides.ts";
import { CacheSettings } from "./cache-schema.ts";
import { DashboardSettings } from "./dashboard-schema.ts";
import { DeployerSettings } from "./deployer-schema.ts";
import { InputsSettings } from "./input-schema.ts";
import { NotifySettings } from "./notify-schema.ts";
import {
  absolutePath,
  addressAndPort,
  branchName,
  described,
  repoName,
  secretFile,
  seconds,
  username,
} from "./setting-types.ts";

const builderName = v.message(
  BuilderName,
  `is not a valid builder name; allowed is ${allowedFor("builder")}`,
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
    "Servers to try, such as `nats://nats.lan:4222`; `tls://` requires TLS. Default: `$NATS_URL`, then the selected context of the `nats` command, then `nats://127.0.0.1:4222`.",
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
        certFile: described(v.optional(absolutePath), "Client certificate, PEM."),
        keyFile: described(v.optional(secretFile), "The key of `certFile`, PEM."),
      }),
    ),
    "TLS settings. `{}` requires TLS and trusts the system's certificate authorities.",
  ),
  inboxPrefix: described(
    v.optional(v.pipe(v.string(), v.regex(/^_INBOX_[A-Za-z0-9_-]{1,200}$/, "must be _INBOX_ and a name"))),
    "Prefix of reply subjects, as the server's permissions require it, such as `_INBOX_operator`.",
  ),
  jetstreamDomain: described(
    v.optional(
      v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/, "must be letters, digits, _ and -, at most 64")),
    ),
    "JetStream domain of the server with the streams. Set it only if `servers` are leaf nodes, to the `domain` in the hub's `jetstream` block.",
  ),
  monitoringUrl: described(
    v.optional(
      v.pipe(
        v.string(),
        v.regex(/^https?:\/\/[^\s@?#]+$/, "must be an http:// or https:// URL without a user"),
      ),
    ),
    "URL of the server's monitoring pages, where `doctor` checks that acknowledged messages are on disk (default: port 8222 of the server).",
  ),
});
export type NatsSettings = v.InferOutput<typeof NatsSettings>;

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

const automatic = v.literal("auto");

export const BuilderSettings = v.strictObject({
  name: described(v.optional(builderName), "The builder's name on NATS (default: the machine's host name)."),
  stateDirectory: described(
    v.optional(absolutePath, "/var/lib/homelab-deploy"),
    "Directory for mirrors, remembered evaluations and GC roots.",
  ),
  statementKeyFile: described(
    v.optional(secretFile),
    "File with the key that signs which closure belongs to a host (`homelab-deploy keys create FILE`). Hosts activate only what a key in their `trustedBuilders` has signed. The builder signs only hosts at the tip of a repo's `branch`, without overrides, that the cache is verified to serve: `cache.verifyBuilds` must be on.",
  ),
  keepCommits: described(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 4),
    "For each host, keep the GC roots of this many recent commits that were the tip of the branch, and of as many other commits.",
  ),
  evaluation: described(
    v.optional(
      v.strictObject({
        workers: described(
          v.optional(
            v.union([automatic, v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(256))]),
            "auto",
          ),
          "Number of parallel evaluator processes; `auto` uses as many as cores and memory allow.",
        ),
        batchSize: described(
          v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 1000),
          "Maximum number of hosts per evaluator process. A process that uses much memory is replaced earlier.",
        ),
        maxMemoryMiB: described(
          v.optional(
            v.union([automatic, v.pipe(v.number(), v.integer(), v.minValue(128), v.maxValue(1_048_576))]),
            "auto",
          ),
          "Heap size of each evaluator process; `auto` divides the free memory, between 1 and 8 GiB each. A host that needs more in a fresh process fails.",
        ),
        timeoutSeconds: described(
          v.optional(seconds(1, 86_400), 900),
          "Time limit for the evaluation of one host.",
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
          "A derivation that prints nothing for this long is stopped.",
        ),
        maxJobs: described(
          v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1024))),
          "Nix's `max-jobs` (default: that of nix.conf).",
        ),
        cores: described(
          v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1024))),
          "Nix's `cores` (default: that of nix.conf).",
        ),
        minFreeGiB: described(
          v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1_048_576)), 2),
          "No build starts while the store's disk has less free space than this. 0: no limit.",
        ),
        withoutSubstituters: described(
          v.optional(v.picklist(["wait", "build"]), "wait"),
          "What happens to a host that needs a substituter while all are down: `wait` up to 30 minutes and then end as `infra-failed`, or `build` from source.",
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
          "Maximum number of attempts after infrastructure failures. A host's own failure is never retried.",
        ),
        firstDelaySeconds: described(
          v.optional(seconds(0, 3600), 10),
          "Delay before the second attempt. Each further attempt waits three times longer.",
        ),
      }),
      {},
    ),
    "What is done when the infrastructure fails.",
  ),
  requestExpirySeconds: described(
    v.optional(seconds(1, 7 * 86_400), 86_400),
    "A request that has waited longer than this ends as `expired`, unless the request sets its own limit.",
  ),
  stopSeconds: described(
    v.optional(seconds(1, 3600), 15),
    "Time for running builds to finish after SIGTERM. Unfinished builds are resumed at the next start.",
  ),
});
export type BuilderSettings = v.InferOutput<typeof BuilderSettings>;

export const MetricsSettings = v.strictObject({
  listen: described(
    v.optional(addressAndPort),
    "Address on which the builder serves `/metrics`, such as `127.0.0.1:9480` (default: none).",
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
    "URL of a Prometheus pushgateway, to which metrics are pushed after each build.",
  ),
});
export type MetricsSettings = v.InferOutput<typeof MetricsSettings>;

export const ListenerSettings = v.strictObject({
  policyFile: described(
    v.optional(absolutePath, "/etc/homelab-deploy/host.json"),
    "The host's policy: who it is, and whom it obeys. The NixOS module writes it.",
  ),
  stateDirectory: described(
    v.optional(absolutePath, "/var/lib/homelab-deploy-listener"),
    "Directory for the NATS key that the listener created, and for the last order that it refused.",
  ),
  journalDirectory: described(
    v.optional(absolutePath, "/var/lib/homelab-deploy-host"),
    "Directory of the activator's journal of deployments and the output of activations.",
  ),
  socket: described(
    v.optional(absolutePath, "/run/homelab-deploy/activate.sock"),
    "The socket of the activator.",
  ),
  metrics: described(
    v.optional(
      v.strictObject({
        listen: described(
          v.optional(addressAndPort),
          "Address on which the listener serves `/metrics`, such as `127.0.0.1:9481` (default: none).",
        ),
      }),
      {},
    ),
    "Where Prometheus finds the metrics of this host.",
  ),
});
export type ListenerSettings = v.InferOutput<typeof ListenerSettings>;

export const UpdateSettings = v.strictObject({
  stateDirectory: described(
    v.optional(absolutePath),
    "Directory for journals, reports and mirrors of updates (default: `$STATE_DIRECTORY` of the service, or a directory of the user).",
  ),
  signingKeyFile: described(
    v.optional(secretFile),
    "File with the private OpenSSH key, without a passphrase, that signs the commits of updates. Its public half belongs into `allowedSigners` of the deployer. Use an Ed25519 key: its signature of a commit is always the same, so a repeated run finds the commit that it made before.",
  ),
  webhookFile: described(
    v.optional(secretFile),
    "File with a webhook URL. It receives the result of each update as JSON that Slack-compatible receivers and ntfy understand.",
  ),
  webhookOutcomes: described(
    v.optional(v.array(v.picklist(updateOutcomes)), ["landed", "proposed", "failed"]),
    "Outcomes that are sent to the webhook. All of them are published on NATS.",
  ),
});
export type UpdateSettings = v.InferOutput<typeof UpdateSettings>;

export const Config = v.strictObject({
  $schema: described(v.optional(v.string()), "URL or path of the JSON schema, for editors."),
  nats: described(v.optional(NatsSettings, {}), "How to connect to NATS."),
  repos: described(v.optional(v.record(repoName, RepoSettings), {}), "The repos to build, by name."),
  inputs: described(v.optional(InputsSettings, {}), "The inputs of the repos' flakes."),
  builder: described(v.optional(BuilderSettings, {}), "The builder daemon, and builds with `--local`."),
  update: described(
    v.optional(UpdateSettings, {}),
    "Settings for the `update` command. Settings for one repo are in `repos.<name>.update`.",
  ),
  notify: described(
    v.optional(NotifySettings, {}),
    "Whom the builder notifies when hosts no longer build on a repo's branch, and when they build again; once per change.",
  ),
  cache: described(v.optional(CacheSettings, {}), "The binary cache that serves what was built."),
  listener: described(
    v.optional(ListenerSettings, {}),
    "The listener on a host that is deployed to. It connects to NATS with the settings in `nats`; without `nkeyFile` it creates a key at its first start.",
  ),
  deployer: described(
    v.optional(DeployerSettings, {}),
    "The deployer, which runs rollouts. It connects to NATS with the settings in `nats`.",
  ),
  metrics: described(v.optional(MetricsSettings, {}), "Metrics of the builder for Prometheus."),
  dashboard: described(v.optional(DashboardSettings, {}), "Settings for `homelab-deploy dashboard`."),
});
export type Config = v.InferOutput<typeof Config>;
