// The builder daemon, and builds with `--local`.
import * as v from "valibot";
import { allowedFor, BuilderName } from "../protocol/names.ts";
import { absolutePath, described, secretFile, seconds } from "./setting-types.ts";

const builderName = v.message(
  BuilderName,
  `is not a valid builder name; allowed is ${allowedFor("builder")}`,
);

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
