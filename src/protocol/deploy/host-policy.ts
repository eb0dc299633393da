// `/etc/homelab-deploy/host.json` of a system: who it is, whom it obeys, and how it proves that it works. The NixOS module
// writes it into every closure, so the checks of a new system are those that came with it.
import * as v from "valibot";
import { BranchName, HostName, RepoName } from "../names.ts";
import { decode, encode } from "../wire.ts";
import { SigningKey } from "./order.ts";

export const hostPolicyFile = "etc/homelab-deploy/host.json";
export const maxHostPolicyBytes = 256 * 1024;

const name = v.pipe(v.string(), v.minLength(1), v.maxLength(100));
const short = v.pipe(v.string(), v.maxLength(64));
const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const seconds = v.pipe(v.number(), v.minValue(0), v.maxValue(86_400));
const unitName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9:_.\\@-]{1,256}$/));
const address = v.pipe(v.string(), v.maxLength(300));

export const mayNames = ["deploy", "rollback", "reboot", "downgrade", "drift", "remove-listener"] as const;
export type May = (typeof mayNames)[number];

const TrustedSigner = v.object({
  name,
  key: SigningKey,
  may: v.array(v.picklist(mayNames)),
  /** Only hosts of these; absent for all. */
  tiers: v.optional(v.array(short)),
  notAfter: v.optional(v.pipe(v.string(), v.isoTimestamp())),
});
export type TrustedSigner = v.InferOutput<typeof TrustedSigner>;

const HealthCheck = v.object({
  name,
  /** One of these four. */
  unit: v.optional(unitName),
  http: v.optional(v.pipe(v.string(), v.maxLength(500), v.regex(/^https?:\/\//))),
  /** `host:port` */
  tcp: v.optional(v.pipe(v.string(), v.regex(/^\S{1,253}:\d{1,5}$/))),
  exec: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(1000))), v.minLength(1), v.maxLength(50))),
  /** Seconds, in which it must have passed three times in a row. */
  timeout: v.optional(seconds, 60),
  /** Seconds between two tries. */
  every: v.optional(seconds, 2),
  critical: v.optional(v.boolean(), true),
});
export type HealthCheck = v.InferOutput<typeof HealthCheck>;

export const HostPolicy = v.object({
  repo: RepoName,
  host: HostName,
  /** `x86_64-linux` */
  system: short,
  tier: v.optional(short),
  role: v.optional(short),
  labels: v.optional(v.record(short, short), {}),
  wave: v.optional(count),
  /** What others need of it: `nats`, `cache`, `git`, `dns`, `builder`, `deployer`. */
  serves: v.optional(v.array(short), []),
  /** What this system was built from is of that time, so the clock of a host that runs it cannot be before it. */
  builtAfter: v.optional(v.pipe(v.string(), v.isoTimestamp())),
  trustedKeys: v.array(TrustedSigner),
  trustedBuilders: v.array(v.object({ name, key: SigningKey })),
  allowedBranches: v.array(BranchName),
  /** As in nix.conf: `name:base64`. */
  trustedCacheKeys: v.array(v.pipe(v.string(), v.maxLength(300))),
  /** What this machine built itself need not be signed. */
  trustLocalBuilds: v.optional(v.boolean(), false),
  keepGenerations: v.optional(v.pipe(count, v.minValue(2)), 10),
  keepDays: v.optional(count, 14),
  minFreeBytes: v.optional(count, 1024 ** 3),
  ignoreFailedUnits: v.optional(v.array(unitName), []),
  healthChecks: v.optional(v.pipe(v.array(HealthCheck), v.maxLength(100)), []),
  /** `http(s)` addresses or `host:port`, that answer while the network of this host works. */
  witnesses: v.optional(v.array(address), []),
  natsServers: v.array(address),
  listenerUnit: v.optional(unitName, "homelab-deploy-listener.service"),
  timeouts: v.optional(
    v.object({
      fetch: v.optional(seconds, 14_400),
      activate: v.optional(seconds, 600),
      settle: v.optional(seconds, 15),
      confirm: v.optional(seconds, 120),
      hold: v.optional(seconds, 1800),
    }),
    {},
  ),
  /** "Do not deploy here", and why. */
  hold: v.optional(v.pipe(v.string(), v.maxLength(500))),
  /** Another tool still switches this host: this one only reports. */
  migration: v.optional(v.boolean(), false),
});
export type HostPolicy = v.InferOutput<typeof HostPolicy>;

export const encodeHostPolicy = (policy: HostPolicy): Uint8Array => encode(policy);
/** @throws HomelabError `usage`, as `decode`. */
export const decodeHostPolicy = (bytes: Uint8Array): HostPolicy =>
  decode(HostPolicy, bytes, { what: "host policy", maxBytes: maxHostPolicyBytes });
