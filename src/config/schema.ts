// The configuration file: one JSON file for the builder and for the command line. Unknown keys are errors, and
// defaults stand only in these schemas. `description` becomes docs/reference/configuration.md and the JSON schema.
import * as v from "valibot";
import { BuilderSettings } from "./builder-schema.ts";
import { CacheSettings } from "./cache-schema.ts";
import { DashboardSettings } from "./dashboard-schema.ts";
import { DeployerSettings } from "./deployer-schema.ts";
import { InputsSettings } from "./input-schema.ts";
import { ListenerSettings } from "./listener-schema.ts";
import { MetricsSettings } from "./metrics-schema.ts";
import { NatsSettings } from "./nats-schema.ts";
import { NotifySettings } from "./notify-schema.ts";
import { RepoSettings } from "./repo-schema.ts";
import { described, repoName } from "./setting-types.ts";
import { UpdateSettings } from "./update-schema.ts";

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
