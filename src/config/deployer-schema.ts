// The deployer's settings. What makes up a rollout's policy is checked by the protocol's own pieces: what is set here stands
// in the log of every rollout.
import * as v from "valibot";
import {
  Gate,
  mostGates,
  mostWaves,
  mostWindows,
  RolloutPolicy,
  WaveRule,
} from "../protocol/rollout/rollout-policy.ts";
import { Window } from "../protocol/rollout/windows.ts";
import { NotifySettings } from "./notify-schema.ts";
import {
  absolutePath,
  addressAndPort,
  branchName,
  described,
  repoName,
  secretFile,
} from "./setting-types.ts";

export const WaveSettings = v.strictObject({
  name: described(WaveRule.entries.name, "Name of the wave, such as `canary`."),
  wave: described(
    WaveRule.entries.wave,
    "Only hosts with this wave number, which each host declares (`services.homelab-deploy.listener.wave`); 0 marks a canary.",
  ),
  tiers: described(WaveRule.entries.tiers, "Only hosts of one of these tiers."),
  roles: described(WaveRule.entries.roles, "Only hosts with one of these roles."),
  hosts: described(
    WaveRule.entries.hosts,
    "Only hosts whose name matches one of these globs: `*` is any text, `?` any character, `[a-c]` one of these and `[!a-c]` none of these.",
  ),
  labels: described(WaveRule.entries.labels, "Only hosts with all of these labels."),
  manual: described(
    WaveRule.entries.manual,
    "Whether the rollout pauses before this wave until somebody resumes it.",
  ),
});
export type WaveSettings = v.InferOutput<typeof WaveSettings>;

const [{ entries: prometheusGate }] = Gate.options;

export const GateSettings = v.strictObject({
  kind: described(
    v.picklist(["prometheus", "http"]),
    "`prometheus` passes if the answer to `query` has at least one sample, and every sample is a number other than 0. `http` passes if the address answers with a status from 200 to 299. No answer and no data never pass.",
  ),
  name: described(prometheusGate.name, "Name of the gate, such as `errors`."),
  url: described(
    prometheusGate.url,
    "URL of the Prometheus server, such as `http://prometheus.lan:9090`, or the URL to request. It must not contain a secret, because it is stored in the log of every rollout.",
  ),
  query: described(
    v.optional(prometheusGate.query),
    "PromQL query, with `kind` `prometheus`. A comparison needs `bool` (`sum(rate(errors_total[5m])) < bool 1`): otherwise Prometheus returns no data when it is false, and a gate without data does not pass.",
  ),
});
export type GateSettings = v.InferOutput<typeof GateSettings>;

export const WindowSettings = v.strictObject({
  days: described(Window.entries.days, "Weekdays on which the window opens (default: every day)."),
  start: described(Window.entries.start, "Time at which the window opens, such as `02:00`."),
  minutes: described(
    Window.entries.minutes,
    "How long the window stays open, in minutes. It may extend past midnight.",
  ),
  zone: described(Window.entries.zone, "The time zone of `start`, such as `Europe/Berlin`."),
});

const policy = RolloutPolicy.entries;

export const RolloutSettings = v.strictObject({
  automatic: described(
    v.optional(v.boolean(), false),
    "Whether every successful and fully cached build of the branch starts a rollout. Otherwise only people start them.",
  ),
  branch: described(
    v.optional(branchName),
    "The branch whose builds are rolled out (default: the repo's branch in `repos`, or `master`).",
  ),
  allowedSigners: described(
    v.optional(absolutePath),
    "File with those whose signed commits may be rolled out, in OpenSSH's format (`ssh-keygen(1)`, ALLOWED SIGNERS). If it is set, no rollout of a commit begins that none of them has signed. Needs the repo's `url` in `repos`.",
  ),
  whenOnlineDays: described(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(365)), 7),
    "An absent host is still deployed if it returns within this many days. 0: never.",
  ),
  waves: described(
    v.optional(v.pipe(v.array(WaveSettings), v.maxLength(mostWaves)), []),
    "The order of deployment. Each host belongs to the first wave that matches it, and the rest to a last one. Without waves: hosts with wave 0, then the tier `test`, then all others. Hosts that others depend on (NATS, cache, git, DNS, builder, deployer) always come last, one by one.",
  ),
  maxUnavailable: described(
    policy.maxUnavailable,
    "Maximum number of hosts that are deployed at a time. Hosts with the same role are always deployed one by one.",
  ),
  maxFailures: described(policy.maxFailures, "How many hosts may fail; one more halts the rollout."),
  onFailure: described(
    policy.onFailure,
    "What happens when too many hosts fail: `halt` leaves the decision to people; `rollback` also rolls back the hosts of this rollout.",
  ),
  soakSeconds: described(
    policy.soakSeconds,
    "How long the hosts of a wave must stay healthy before the next wave starts.",
  ),
  gates: described(
    v.optional(v.pipe(v.array(GateSettings), v.maxLength(mostGates)), []),
    "Checks that must pass before each wave and while it soaks. A gate that does not pass halts the rollout.",
  ),
  windows: described(
    v.optional(v.pipe(v.array(WindowSettings), v.maxLength(mostWindows)), []),
    "When hosts may be deployed. Outside of all windows a rollout waits. Without windows: always.",
  ),
  reboots: described(
    policy.reboots,
    "Whether hosts that need a reboot get one after the last wave: `never`, or `in-window`, under the same rules as deployments.",
  ),
});
export type RolloutSettings = v.InferOutput<typeof RolloutSettings>;

export const DeployerSettings = v.strictObject({
  keyFile: described(
    v.optional(secretFile),
    "File with the key that signs orders (`homelab-deploy keys create FILE`). Hosts obey it if its public half is in their `trustedKeys`. It must be a key of the deployer alone, and never one that signs in to NATS.",
  ),
  stateDirectory: described(
    v.optional(absolutePath, "/var/lib/homelab-deploy-deployer"),
    "Directory for notices that could not be delivered yet. Everything else about rollouts is on NATS.",
  ),
  metrics: described(
    v.optional(
      v.strictObject({
        listen: described(
          v.optional(addressAndPort),
          "Address on which the deployer serves `/metrics`, such as `127.0.0.1:9483` (default: none).",
        ),
      }),
      {},
    ),
    "Where Prometheus finds the metrics of rollouts.",
  ),
  notify: described(v.optional(NotifySettings, {}), "Who is notified when a rollout starts, halts or ends."),
  rollouts: described(
    v.optional(v.record(repoName, RolloutSettings), {}),
    "The repos to roll out, by name, with their rules. A change applies to the next rollout; each rollout keeps the rules it was created with.",
  ),
});
export type DeployerSettings = v.InferOutput<typeof DeployerSettings>;
